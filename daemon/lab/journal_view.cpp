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

bool has_index(std::string_view segment) {
  const auto bracket = segment.find('[');
  return bracket != std::string_view::npos && bracket + 1 < segment.size() && segment[bracket + 1] >= '0' &&
         segment[bracket + 1] <= '9';
}

// "together[hotels]/hotels[2]" is hotels[2], "together[weather]" is weather; "guides[0]/ask" is a step of guides[0].
std::string common_path(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string last = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (slash != std::string::npos && !has_index(last)) {
    const auto before = path.rfind('/', slash - 1);
    const std::string above = path.substr(before == std::string::npos ? 0 : before + 1,
                                          slash - (before == std::string::npos ? 0 : before + 1));
    if (has_index(above)) return above;
  }
  if (last.ends_with(']') && !has_index(last)) return last.substr(last.find('[') + 1, last.size() - last.find('[') - 2);
  return last;
}

}  // namespace

json::object common_view(const Memory::Run& run) {
  json::object steps;
  for (const auto& [path, step] : run.steps)
    if (step.state != model::StepState::skipped && !path.ends_with("[]")) steps[common_path(path)] = step_view(step);
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
