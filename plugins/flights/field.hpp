#pragma once
#include <godwit/sdk.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace flights {

namespace json = godwit::json;

// A place in a stage's input that knows its path, so that every complaint can name it: "travelers[1].filters.max_stops:
// ...". Borrows the value. Absent and null are the same.
class Field {
 public:
  explicit Field(const json::object& input) : object_(&input) {}

  bool given() const { return object_ != nullptr || (value_ != nullptr && !value_->is_null()); }
  const std::string& path() const { return path_; }

  // Each of these refuses the input when the field is absent or of another kind.
  const json::object& object() const;
  const json::array& list() const;
  std::string text() const;
  bool flag() const;
  std::int64_t whole(std::int64_t low, std::int64_t high) const;
  std::string airport() const;  // three capital letters
  const json::value& value() const;

  // A member of an object, which may be absent.
  Field operator[](std::string_view name) const;
  // An entry of a list, counted from 0.
  Field operator[](std::size_t index) const;
  std::size_t size() const { return list().size(); }
  // Refuses members of other names: a misspelt filter must not pass as no filter.
  void allow_only(std::initializer_list<std::string_view> names) const;

  // Ends the call with code bad_input and a text that begins with the path.
  [[noreturn]] void refuse(const std::string& what) const;

 private:
  Field(const json::value* value, std::string path) : value_(value), path_(std::move(path)) {}

  const json::object* object_ = nullptr;  // the input itself
  const json::value* value_ = nullptr;
  std::string path_;
};

}  // namespace flights
