#include "engine/script_steps.hpp"

#include "jobfile/job_parser.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// A script that makes options of its data would fill memory with them.
constexpr std::size_t kKnownMax = 256;

}  // namespace

std::shared_ptr<const CompiledJob> ScriptSteps::step(const std::string& uses, const std::string& options) {
  const std::string key = uses + '\n' + options;
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  json::object stage = defaults_;
  json::value given = base::parse_json(options);
  for (auto& option : given.as_object()) stage[option.key()] = std::move(option.value());
  stage["uses"] = uses;
  // The statement itself is the request's.
  if (uses == "sql.exec") stage["with"] = json::object{{"statement", ""}};
  // As in a foreach, so that `item` may be used (it is the step's input) and a failure is the script's to judge.
  stage["foreach"] = "${ {} }";
  stage["on_item_error"] = "record";
  // JSON is YAML.
  const json::object job{{"job", "step"}, {"stages", json::object{{"step", std::move(stage)}}}};
  auto compiled =
      std::make_shared<const CompiledJob>(std::make_shared<const model::Job>(jobfile::parse(json::serialize(job), {})));
  if (known_.size() >= kKnownMax) known_.clear();
  known_.emplace(key, compiled);
  return compiled;
}

}  // namespace godwit::engine
