#include "flights/items.hpp"

namespace flights {

ItemResult ItemResult::parse(const Field& field) {
  ItemResult result{field["item"], field["output"], false, {}, {}};
  const std::string state = field["state"].text();
  if (state == "succeeded") {
    result.succeeded = true;
    return result;
  }
  if (state != "failed" && state != "skipped")
    field["state"].refuse("'" + state + "' is none of succeeded, failed, skipped");
  const Field error = field["error"];
  result.code = error.given() && error["code"].given() ? error["code"].text() : state;
  result.message = error.given() && error["message"].given() ? error["message"].text() : "the search was " + state;
  return result;
}

}  // namespace flights
