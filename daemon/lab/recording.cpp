#include "lab/recording.hpp"

#include "base/json_text.hpp"

namespace godwit::lab {
namespace {

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

engine::StepOutcome outcome_of(const json::object& step) {
  if (text_of(step, "state") == "succeeded") {
    const auto* output = step.if_contains("output");
    return engine::StepSucceeded{output ? base::serialize(*output) : "null", {}};
  }
  model::Failure failure{"failed", "the recorded step did not succeed", false, {}};
  if (const auto* error = step.if_contains("error"); error && error->is_object()) {
    failure.code = text_of(error->get_object(), "code");
    failure.message = text_of(error->get_object(), "message");
  }
  return engine::StepFailed{std::move(failure)};
}

}  // namespace

Recording::Recording(std::string_view text, const std::string& file) : file_(file) {
  const json::value document = base::parse_json(text, file);
  const auto* run = document.if_object();
  const auto* params = run ? run->if_contains("params") : nullptr;
  const auto* steps = run ? run->if_contains("steps") : nullptr;
  if (!params || !params->is_object() || !steps || !steps->is_array())
    throw base::refused("this is no recorded run: an object with `params` and `steps` is needed", {file},
                        "`godwit run export RUN` writes one");
  params_ = params->get_object();
  for (const auto& step : steps->get_array())
    if (step.is_object()) steps_.emplace(text_of(step.get_object(), "path"), outcome_of(step.get_object()));
}

const engine::StepOutcome* Recording::find(const std::string& step) const {
  const auto found = steps_.find(step);
  return found == steps_.end() ? nullptr : &found->second;
}

}  // namespace godwit::lab
