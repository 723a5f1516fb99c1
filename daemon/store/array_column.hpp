#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "store/tables.hpp"

namespace godwit::store {

// One array parameter in PostgreSQL's binary form, built value by value: the server reads it without parsing text.
class ArrayColumn {
 public:
  explicit ArrayColumn(ColumnType type);

  void add(std::int64_t value);
  void add(std::string_view text);
  void add(base::Instant instant);
  void add_null();
  // Empty text is stored as NULL.
  void add_or_null(std::string_view text) { text.empty() ? add_null() : add(text); }

  // The parameter with all values so far.
  std::string_view bytes();
  std::size_t size() const { return bytes_.size(); }
  void clear();

 private:
  void put(std::uint64_t value, std::size_t size);

  ColumnType type_;
  std::int32_t count_ = 0;
  bool has_null_ = false;
  std::string bytes_;
};

}  // namespace godwit::store
