#include "engine/script_steps.hpp"

#include "base/json_text.hpp"
#include "jobfile/job_parser.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// A script that makes options of its data would fill memory with them.
constexpr std::size_t kKnownMax = 256;

}  // namespace

ScriptSteps::ScriptSteps(json::object defaults, const json::object& params) : defaults_(std::move(defaults)) {
  for (const auto& param : params) params_[param.key()] = json::object{{"optional", true}};
}

std::shared_ptr<const CompiledJob> ScriptSteps::step(const std::string& uses, const std::string& options) {
  const std::string key = uses + '\n' + options;
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  json::object stage = defaults_;
  json::value given = base::parse_json(options);
  for (auto& option : given.as_object()) {
    auto& own = stage[option.key()];
    // Variables are added to those of the job.
    if (option.key() == "env" && own.is_object() && option.value().is_object())
      for (auto& variable : option.value().as_object()) own.as_object()[variable.key()] = std::move(variable.value());
    else
      own = std::move(option.value());
  }
  stage["uses"] = uses;
  // The statement itself is the request's.
  if (uses == "sql.exec") stage["with"] = json::object{{"statement", ""}};
  // As in a foreach, so that `item` may be used (it is the step's input) and a failure is the script's to judge.
  stage["foreach"] = "${ {} }";
  stage["on_item_error"] = "record";
  // JSON is YAML.
  const json::object job{{"job", "step"}, {"params", params_}, {"stages", json::object{{"step", std::move(stage)}}}};
  auto compiled =
      std::make_shared<const CompiledJob>(std::make_shared<const model::Job>(jobfile::parse(base::serialize(job), {})));
  if (known_.size() >= kKnownMax) known_.clear();
  known_.emplace(key, compiled);
  return compiled;
}

}  // namespace godwit::engine
