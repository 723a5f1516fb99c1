#pragma once
#include <pqxx/pqxx>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "model/run.hpp"
#include "store/array_column.hpp"

namespace godwit::store {

// Reads a timestamptz as a session with TimeZone UTC and DateStyle ISO writes it. Throws std::runtime_error for
// anything else.
base::Instant parse_timestamp(std::string_view text);

inline std::string_view view(const pqxx::field& field) {
  return {field.c_str(), field.size()};
}
inline std::string text(const pqxx::field& field) {
  return std::string(view(field));
}
inline model::RunId run_id(const pqxx::field& field) {
  return model::RunId(field.as<std::int64_t>());
}
base::Instant instant(const pqxx::field& field);
// Integers, counted fields of a hot loop: no locale, no exception on the way.
std::int64_t integer(const pqxx::field& field);

// NULL becomes null; what is not JSON, which only another program can have written, is shown as a string.
base::json::value json_value(const pqxx::field& field);
base::json::value json_text(const pqxx::field& field);
base::json::value json_instant(const pqxx::field& field);

pqxx::binarystring parameter(ArrayColumn& column);
std::vector<pqxx::binarystring> parameters(const std::vector<ArrayColumn*>& columns);
pqxx::binarystring array_of(const std::vector<std::int64_t>& values);

}  // namespace godwit::store
