#include "engine/continuation.hpp"

#include <algorithm>
#include <cstdlib>
#include <unordered_set>

#include "base/json_text.hpp"
#include "engine/script_driver.hpp"

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

// A loop whose finished items were folded away, as a cursor says.
struct Folded {
  std::string loop;
  std::uint64_t from = 0, to = 0;

  Folded(const std::string& name, const std::string& cursor) {
    const std::string path(base::parse_json(cursor).at("path").as_string());
    const auto bracket = path.rfind('[');
    loop = path.substr(0, bracket);
    // One that stands for all items before, too, has no numbers in its name.
    if (!name.ends_with("[..]")) from = std::strtoull(path.c_str() + bracket + 1, nullptr, 10);
    to = std::strtoull(path.c_str() + path.find("..", bracket) + 2, nullptr, 10);
  }
  bool covers(const std::string& step) const {
    if (!step.starts_with(loop + "[")) return false;
    char* end = nullptr;
    const std::uint64_t item = std::strtoull(step.c_str() + loop.size() + 1, &end, 10);
    return end != step.c_str() + loop.size() + 1 && *end == ']' && item >= from && item <= to;
  }
};

// What is before the last slash outside of brackets.
std::string_view above(std::string_view path) {
  int depth = 0;
  for (std::size_t i = path.size(); i-- > 0;) {
    if (path[i] == ']') ++depth;
    if (path[i] == '[') --depth;
    if (path[i] == '/' && depth == 0) return path.substr(0, i);
  }
  return {};
}

// The branch of a script that made the step: "a[1]" for "a[1]" and "a[1]/b", the run itself for "b" and "a[]".
std::string_view branch_of(std::string_view path) {
  return path.ends_with(']') && !path.ends_with("[]") ? path : above(path);
}

// Whether the branch, or one around it, is among these.
bool is_within_any(std::string_view branch, const std::unordered_set<std::string_view>& branches) {
  for (;; branch = above(branch)) {
    if (branches.contains(branch)) return true;
    if (branch.empty()) return false;
  }
}

}  // namespace

Continuation::Continuation(const CompiledJob& job, const UnfinishedRun& old, const Engine::Retry& how)
    : job_(job), old_(old), how_(how), again_(job.graph().stages().size(), false) {
  for (const auto& path : how.skip)
    if (how.set.contains(path)) throw base::refused("'" + path + "' cannot be both set and skipped");
  job.job().script ? check_script() : check_graph();
}

void Continuation::check_graph() {
  if (!how_.from.empty()) {
    from_ = find(how_.from, "from");
    again_ = job_.graph().dependents(from_->stage);
    // One item of a foreach is done again alone; what needs the stage follows.
    if (from_->item != StepRef::kSingle) again_[from_->stage] = false;
  }
  const auto check = [&](const std::string& path, const std::string& option) {
    const StepRef step = find(path, option);
    const CompiledStage& stage = job_.graph().stages()[step.stage];
    if (step.item != StepRef::kSingle && again_[step.stage])
      throw base::refused(option + ": '" + path + "' is an item of a stage that is done again by `from`");
    if (option == "set" && stage.foreach && step.item == StepRef::kSingle)
      throw base::refused("set: '" + path + "' has an output for each item", {}, "name one: " + path + "[0]");
  };
  for (const auto& [path, value] : how_.set)
    if (!path.starts_with(kParams)) check(path, "set");
  for (const auto& path : how_.skip) check(path, "skip");
}

// What steps a script has, its recorded ones say.
void Continuation::check_script() const {
  if (!how_.from.empty()) step(how_.from, "from");
  for (const auto& [path, value] : how_.set)
    if (!path.starts_with(kParams)) step(path, "set");
  for (const auto& path : how_.skip) step(path, "skip");
}

const StepDone& Continuation::step(const std::string& path, const std::string& option) const {
  const auto found =
      std::find_if(old_.steps.begin(), old_.steps.end(), [&](const StepDone& step) { return step.path == path; });
  if (found != old_.steps.end()) return *found;
  for (const auto& [cursor, value] : old_.cursors)
    if (const Folded folded(cursor, value); folded.covers(path))
      throw base::refused(option + ": step '" + path + "' was folded away with the items " +
                              std::to_string(folded.from) + " to " + std::to_string(folded.to) + " of '" + folded.loop +
                              "'",
                          {}, "only steps that are still recorded can be changed or done again");
  throw base::not_found(option + ": run " + model::text(old_.run.run) + " of job '" + job_.job().name +
                        "' has recorded no step '" + path + "'");
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

std::vector<std::string> Continuation::kept() const {
  return job_.job().script ? kept_of_script() : kept_of_graph();
}

// Of a script, whose steps stand in the order they were recorded in: what was recorded before `from`, or all but what
// failed. A failure that the script had caught, to go on with something else, is part of the way it went.
std::vector<std::string> Continuation::kept_of_script() const {
  const auto& steps = old_.steps;
  auto end = steps.end();
  if (!how_.from.empty())
    end = std::find_if(steps.begin(), steps.end(), [&](const StepDone& step) { return step.path == how_.from; });
  std::unordered_set<std::string_view> later;  // branches that recorded something after the step
  std::vector<std::string> kept;
  for (auto step = std::make_reverse_iterator(end); step != steps.rend(); ++step) {
    if (!of_ending(step->path).empty()) continue;
    const auto branch = branch_of(step->path);
    const bool ended_with = step->state == model::StepState::failed && !is_within_any(branch, later);
    later.insert(branch);
    if (!is_given(step->path) && !(ended_with && how_.from.empty())) kept.push_back(step->path);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

std::vector<std::string> Continuation::kept_of_graph() const {
  const CompiledGraph& graph = job_.graph();
  std::vector<std::string> kept;
  for (const auto& step : old_.steps) {
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
  return changed ? base::serialize(job_.parameters().check(std::move(params))) : given;
}

std::vector<Fact> Continuation::given(base::Instant now) const {
  std::vector<Fact> facts;
  // A script finds a step by its name and by what it asked for.
  const auto hash = [&](const std::string& path) { return job_.job().script ? step(path, "set").args_hash : 0; };
  const auto give = [&](const std::string& path, model::StepState state, const std::string& output) {
    facts.emplace_back(StepDone{.path = path,
                                .state = state,
                                .args_hash = hash(path),
                                .output = output,
                                .started_at = now,
                                .finished_at = now += std::chrono::microseconds(1)});
  };
  for (const auto& [path, value] : how_.set)
    if (!path.starts_with(kParams)) give(path, model::StepState::succeeded, value);
  for (const auto& path : how_.skip) give(path, model::StepState::skipped, {});
  // What was cut off in mid-call and nobody has spoken for is in doubt as before.
  for (const auto& [path, attempts] : old_.attempts)
    if (attempts.in_doubt && !is_given(path) && path != how_.from)
      facts.emplace_back(AttemptStarted{.path = path, .attempt = attempts.made, .at = now});
  // Where the list of a loop is kept, what was folded away of it is so too.
  const auto paths = kept();
  for (const auto& [path, value] : old_.cursors)
    if (std::find(paths.begin(), paths.end(), Folded(path, value).loop + "[]") != paths.end())
      facts.emplace_back(CursorMoved{.path = path, .value = value});
  return facts;
}

std::string Continuation::options() const {
  if (!job_.job().script) return old_.run.options;
  json::object options;
  if (!old_.run.options.empty()) options = base::parse_json(old_.run.options).as_object();
  if (!options.contains("origin"))
    options["origin"] = json::object{{"run", model::number(old_.run.run)},
                                     {"submitted_at_us", base::to_microseconds(old_.run.submitted_at)}};
  return base::serialize(options);
}

}  // namespace godwit::engine
