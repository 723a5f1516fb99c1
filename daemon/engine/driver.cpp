#include "engine/driver.hpp"

namespace godwit::engine {

namespace json = base::json;

model::Ending ending_of(model::RunState state) {
  if (state == model::RunState::failed) return model::Ending::failure;
  return state == model::RunState::cancelled ? model::Ending::cancel : model::Ending::success;
}

json::object outcome_view(const Outcome& outcome) {
  json::object view{{"state", model::name(outcome.state)}};
  view["result"] = outcome.result.empty() ? json::value() : base::parse_json(outcome.result);
  view["error"] = nullptr;
  if (outcome.failure)
    view["error"] = json::object{
        {"code", outcome.failure->code}, {"message", outcome.failure->message}, {"step", outcome.failed_path}};
  return view;
}

}  // namespace godwit::engine
