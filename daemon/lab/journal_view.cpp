#include "lab/journal_view.hpp"

#include <algorithm>
#include <charconv>

namespace godwit::lab {
namespace {

json::value parsed(const std::string& text) {
  return text.empty() ? json::value() : base::parse_json(text);
}

// Numbers of runs have gaps where a process died. "run 4 failed" says as much without them.
void hide_numbers(std::string& text, const Memory& memory) {
  constexpr std::string_view kRun = "run ";
  for (auto at = text.find(kRun); at != std::string::npos; at = text.find(kRun, at + 1)) {
    const auto begin = at + kRun.size();
    const auto end = std::min(text.find_first_not_of("0123456789", begin), text.size());
    std::int64_t number = 0;
    std::from_chars(text.data() + begin, text.data() + end, number);
    if (const auto run = memory.runs.find(model::RunId(number)); run != memory.runs.end())
      text.replace(begin, end - begin, "of " + run->second.submitted.job);
  }
}

void hide_numbers(json::value& value, const Memory& memory) {
  if (auto* object = value.if_object())
    for (auto& member : *object) hide_numbers(member.value(), memory);
  if (auto* array = value.if_array())
    for (auto& item : *array) hide_numbers(item, memory);
  if (!value.is_string()) return;
  std::string text(value.get_string());
  hide_numbers(text, memory);
  value = json::string(text);
}

// What else a run that failed has done when it fails is a matter of luck.
void forget_lost_steps(json::object& view) {
  const auto* state = view.if_contains("state");
  if (state && *state != json::value("succeeded")) view.erase("steps");
}

json::object step_view(const engine::StepDone& step) {
  json::object view{{"state", model::name(step.state)}, {"output", parsed(step.output)}};
  if (step.failure) view["error"] = failure_view(*step.failure);
  if (step.emitted.empty()) return view;
  json::array rows;
  for (const auto& row : step.emitted) rows.push_back(json::object{{"to", row.topic}, {"row", parsed(row.row)}});
  view["emitted"] = std::move(rows);
  return view;
}

}  // namespace

json::object failure_view(const model::Failure& failure) {
  return {{"code", failure.code}, {"message", failure.message}};
}

json::object journal_view(const Memory::Run& run) {
  json::object steps;
  for (const auto& [path, step] : run.steps) steps[path] = step_view(step);
  json::object view{{"job", run.submitted.job}, {"params", parsed(run.submitted.params)}, {"steps", std::move(steps)}};
  if (!run.done) return view;
  view["state"] = model::name(run.done->state);
  view["result"] = parsed(run.done->result);
  if (run.done->failure) view["error"] = failure_view(*run.done->failure);
  if (!run.done->failed_path.empty()) view["failed_step"] = run.done->failed_path;
  return view;
}

namespace {

// The parts of a path, which slashes outside of brackets separate.
std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments(1);
  int depth = 0;
  for (const char c : path) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == '/' && depth == 0)
      segments.emplace_back();
    else
      segments.back() += c;
  }
  return segments;
}

// What stands in the brackets at the end of "hotels[2]"; empty when there are none.
std::string inside(const std::string& segment) {
  const auto bracket = segment.find('[');
  return bracket == std::string::npos || segment.back() != ']'
             ? std::string()
             : segment.substr(bracket + 1, segment.size() - bracket - 2);
}
bool has_index(const std::string& segment) {
  const std::string text = inside(segment);
  return !text.empty() && text[0] >= '0' && text[0] <= '9';
}

// Without the branches in which a script does what stands side by side in YAML: "together[hotels]/hotels[2]" is
// hotels[2], "together[weather]" is weather.
std::string without_branches(const std::string& path) {
  const auto segments = segments_of(path);
  std::string result;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool branch = !inside(segments[i]).empty() && !has_index(segments[i]);
    if (branch && i + 1 < segments.size()) continue;
    result += (result.empty() ? "" : "/") + (branch ? inside(segments[i]) : segments[i]);
  }
  return result;
}

// The step that a step stands right below, "guides[0]" for "guides[0]/ask"; empty when it is no item.
std::string item_of(const std::string& path) {
  const auto segments = segments_of(path);
  if (segments.size() < 2 || !has_index(segments[segments.size() - 2])) return {};
  return path.substr(0, path.size() - segments.back().size() - 1);
}

}  // namespace

// Steps by paths that both forms of a job have. An item with one step is that step; of one with several, YAML records
// what comes of them as well.
json::object common_view(const Memory::Run& run) {
  std::map<std::string, const engine::StepDone*> known;
  for (const auto& [path, step] : run.steps)
    if (step.state != model::StepState::skipped && !path.ends_with("[]") && path.find("[+") == std::string::npos)
      known[without_branches(path)] = &step;
  std::map<std::string, int> below;
  for (const auto& [path, step] : known)
    if (const auto item = item_of(path); !item.empty()) ++below[item];
  json::object steps;
  for (const auto& [path, step] : known) {
    if (below.contains(path)) continue;
    const auto item = item_of(path);
    steps[!item.empty() && below.at(item) == 1 && !has_index(segments_of(path).back()) ? item : path] =
        step_view(*step);
  }
  json::object view = journal_view(run);
  view["steps"] = std::move(steps);
  view.erase("failed_step");
  forget_lost_steps(view);
  return view;
}

json::array journal_view(const Memory& memory) {
  json::array views;
  for (const auto& [id, run] : memory.runs) {
    views.push_back(journal_view(run));
    hide_numbers(views.back(), memory);
    forget_lost_steps(views.back().get_object());
  }
  return views;
}

}  // namespace godwit::lab
