#include "flights/field.hpp"

#include <algorithm>

namespace flights {
namespace {

// An empty table of Lua has no kind of its own: it may come as {} where a list was meant and the other way round.
const json::object kEmptyObject;
const json::array kEmptyList;

}  // namespace

void Field::refuse(const std::string& what) const {
  godwit::fail("bad_input", (path_.empty() ? "the input" : path_) + ": " + what);
}

const json::value& Field::value() const {
  if (value_ == nullptr) refuse("is missing");
  return *value_;
}

const json::object& Field::object() const {
  if (object_ != nullptr) return *object_;
  if (!given()) refuse("is missing");
  if (value_->is_array() && value_->get_array().empty()) return kEmptyObject;
  if (!value_->is_object()) refuse("must be an object");
  return value_->get_object();
}

const json::array& Field::list() const {
  if (!given()) refuse("is missing");
  if (value_ != nullptr && value_->is_object() && value_->get_object().empty()) return kEmptyList;
  if (value_ == nullptr || !value_->is_array()) refuse("must be a list");
  return value_->get_array();
}

std::string Field::text() const {
  if (!given()) refuse("is missing");
  if (value_ == nullptr || !value_->is_string()) refuse("must be a string");
  return std::string(value_->get_string());
}

bool Field::flag() const {
  if (!given()) refuse("is missing");
  if (value_ == nullptr || !value_->is_bool()) refuse("must be true or false");
  return value_->get_bool();
}

std::int64_t Field::whole(std::int64_t low, std::int64_t high) const {
  if (!given()) refuse("is missing");
  boost::system::error_code problem;
  const bool is_number = value_ != nullptr && value_->is_number();
  const std::int64_t number = is_number ? value_->to_number<std::int64_t>(problem) : 0;
  if (!is_number || problem || number < low || number > high)
    refuse("must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return number;
}

std::string Field::airport() const {
  std::string code = text();
  const bool good =
      code.size() == 3 && std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!good) refuse("'" + code + "' is no IATA airport code (three capital letters, such as LIS)");
  return code;
}

Field Field::operator[](std::string_view name) const {
  std::string path = path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  return {object().if_contains(json::string_view(name.data(), name.size())), std::move(path)};
}

Field Field::operator[](std::size_t index) const {
  const json::array& entries = list();
  return {index < entries.size() ? &entries[index] : nullptr, path_ + "[" + std::to_string(index) + "]"};
}

void Field::allow_only(std::initializer_list<std::string_view> names) const {
  for (const auto& member : object()) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    std::string known;
    for (const std::string_view name : names) known += (known.empty() ? "" : ", ") + std::string(name);
    (*this)[key].refuse("there is no such field; known are " + known);
  }
}

}  // namespace flights
