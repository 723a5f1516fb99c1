#include "jobfile/whole_number.hpp"

#include <algorithm>
#include <cmath>

namespace godwit::jobfile {
namespace {

constexpr double kWholeMax = 9e18;  // what an integer of 64 bits holds, roughly

}  // namespace

bool is_fractionless(const json::value& value) {
  return value.is_double() && std::abs(value.get_double()) <= kWholeMax &&
         value.get_double() == std::trunc(value.get_double());
}

void make_whole(json::value& value) {
  value = static_cast<std::int64_t>(value.get_double());
}

bool has_fractionless(const json::value& value) {
  if (const auto* array = value.if_array()) return std::any_of(array->begin(), array->end(), has_fractionless);
  if (const auto* object = value.if_object())
    return std::any_of(object->begin(), object->end(),
                       [](const auto& member) { return has_fractionless(member.value()); });
  return is_fractionless(value);
}

json::value with_whole_numbers(json::value value) {
  if (auto* array = value.if_array()) {
    for (auto& item : *array) item = with_whole_numbers(std::move(item));
  } else if (auto* object = value.if_object()) {
    for (auto& member : *object) member.value() = with_whole_numbers(std::move(member.value()));
  } else if (is_fractionless(value)) {
    make_whole(value);
  }
  return value;
}

}  // namespace godwit::jobfile
