#pragma once
#include <string>

#include "flights/field.hpp"

namespace flights {

// What became of one item of a foreach, as `stages.NAME.items` gives it to the next stage.
struct ItemResult {
  Field item;    // what the step worked on
  Field output;  // absent unless it succeeded
  bool succeeded = false;
  std::string code;     // why not: the provider's code, or "skipped"
  std::string message;  // the same for people

  static ItemResult parse(const Field& field);
};

}  // namespace flights
