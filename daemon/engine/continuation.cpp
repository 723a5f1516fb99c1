#include "engine/continuation.hpp"

#include <algorithm>

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::string_view kParams = "params.";

// Puts the value where the path leads, "width" or "size.width"; objects on the way are made.
void set_member(json::object& object, std::string_view path, json::value value) {
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) {
    object[path] = std::move(value);
    return;
  }
  json::value& inner = object[path.substr(0, dot)];
  if (inner.is_null()) inner = json::object();
  if (!inner.is_object())
    throw base::refused("set: '" + std::string(path.substr(0, dot)) + "' is no object that has members");
  set_member(inner.as_object(), path.substr(dot + 1), std::move(value));
}

// Of a script, whose steps stand in the order they were recorded in: what was recorded before `from`, or all but what
// failed the run. A failure that the script had caught is part of the way it went.
std::vector<StepDone> kept_of_script(const std::string& job, const std::vector<StepDone>& steps, const std::string& from) {
  auto end = steps.end();
  if (!from.empty()) {
    end = std::find_if(steps.begin(), steps.end(), [&](const StepDone& step) { return step.path == from; });
    if (end == steps.end()) throw base::not_found("the run of job '" + job + "' has no step '" + from + "'");
    return {steps.begin(), end};
  }
  const auto last_failed = std::find_if(steps.rbegin(), steps.rend(), [](const StepDone& step) {
    return step.state == model::StepState::failed;
  });
  std::vector<StepDone> kept = steps;
  if (last_failed != steps.rend()) kept.erase(kept.begin() + (steps.rend() - last_failed - 1));
  return kept;
}

}  // namespace

Continuation::Continuation(const CompiledJob& job, const Engine::Retry& how)
    : job_(job), how_(how), again_(job.graph().stages().size(), false) {
  // What steps a script has, its recorded ones say.
  if (job.job().script) return;
  if (!how.from.empty()) {
    from_ = find(how.from, "from");
    again_ = job.graph().dependents(from_->stage);
    // One item of a foreach is done again alone; what needs the stage follows.
    if (from_->item != StepRef::kSingle) again_[from_->stage] = false;
  }
  const auto check = [&](const std::string& path, const std::string& option) {
    const StepRef step = find(path, option);
    const CompiledStage& stage = job.graph().stages()[step.stage];
    if (step.item != StepRef::kSingle && again_[step.stage])
      throw base::refused(option + ": '" + path + "' is an item of a stage that is done again by `from`");
    if (option == "set" && stage.foreach && step.item == StepRef::kSingle)
      throw base::refused("set: '" + path + "' has an output for each item", {}, "name one: " + path + "[0]");
  };
  for (const auto& [path, value] : how.set)
    if (!path.starts_with(kParams)) check(path, "set");
  for (const auto& path : how.skip) {
    check(path, "skip");
    if (how.set.contains(path)) throw base::refused("'" + path + "' cannot be both set and skipped");
  }
}

StepRef Continuation::find(const std::string& path, const std::string& option) const {
  const auto parsed = job_.graph().parse(path);
  const bool single = parsed && parsed->ref.item == StepRef::kSingle;
  if (!parsed || parsed->kind != CompiledGraph::Parsed::step ||
      (!single && !job_.graph().stages()[parsed->ref.stage].foreach))
    throw base::not_found(option + ": job '" + job_.job().name + "' has no step '" + path + "'");
  return parsed->ref;
}

bool Continuation::is_given(const std::string& path) const {
  return how_.set.contains(path) || std::find(how_.skip.begin(), how_.skip.end(), path) != how_.skip.end();
}

std::vector<std::string> Continuation::kept(const std::vector<StepDone>& steps) const {
  const CompiledGraph& graph = job_.graph();
  std::vector<std::string> kept;
  if (job_.job().script) {
    for (const auto& step : kept_of_script(job_.job().name, steps, how_.from))
      if (!is_given(step.path)) kept.push_back(step.path);
    return kept;
  }
  for (const auto& step : steps) {
    const auto slash = step.path.find('/');
    const std::string top = step.path.substr(0, slash);
    const auto parsed = graph.parse(top);
    if (!parsed || again_[parsed->ref.stage]) continue;
    if (from_ && parsed->kind == CompiledGraph::Parsed::step && parsed->ref == *from_) continue;
    const std::string& stage = graph.stages()[parsed->ref.stage].spec->name;
    if (is_given(top) || is_given(stage)) continue;
    // Inside an item nothing that failed is kept: it is part of what is done again, or of no use.
    const bool failed = step.state == model::StepState::failed;
    const bool inner = slash != std::string::npos;
    if (!failed || (!inner && !graph.stages()[parsed->ref.stage].fatal)) kept.push_back(step.path);
  }
  return kept;
}

std::string Continuation::params(const std::string& given) const {
  auto params = base::parse_json(given).as_object();
  bool changed = false;
  for (const auto& [path, value] : how_.set) {
    if (!path.starts_with(kParams)) continue;
    set_member(params, std::string_view(path).substr(kParams.size()), base::parse_json(value));
    changed = true;
  }
  return changed ? json::serialize(job_.parameters().check(std::move(params))) : given;
}

std::vector<Fact> Continuation::given(base::Instant now) const {
  std::vector<Fact> facts;
  for (const auto& [path, value] : how_.set)
    if (!path.starts_with(kParams))
      facts.emplace_back(StepDone{.path = path, .output = value, .started_at = now, .finished_at = now});
  for (const auto& path : how_.skip)
    facts.emplace_back(
        StepDone{.path = path, .state = model::StepState::skipped, .started_at = now, .finished_at = now});
  return facts;
}

}  // namespace godwit::engine
