#pragma once
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "timetable/model.hpp"

namespace timetable::test {

// One model for all tests that only ask; making it takes some milliseconds.
inline const Model& model() {
  static std::vector<std::string> problems;
  static const Model instance(Catalog::built_in(), ModelOptions{}, problems);
  return instance;
}

inline json::object search(json::object args, const Model& asked = model()) {
  return asked.search(args);
}

// By value: a loop over a part of a temporary answer would read freed memory.
inline json::array offers_of(const json::object& args, const Model& asked = model()) {
  return asked.search(args).at("offers").as_array();
}

// The code of the failure that `args` end in, "" when they do not.
inline std::string refused(const json::object& args) {
  try {
    model().search(args);
  } catch (const godwit::Failure& failure) {
    CHECK_FALSE(failure.retryable());
    return failure.code();
  }
  return {};
}

inline std::string text(const json::value& value) {
  return std::string(value.as_string());
}

}  // namespace timetable::test
