#include "lab/journal_view.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "lab/difference.hpp"

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

namespace {

// The instants that the clock of a story gave to what its runs did. How long calls take differs from one seed to the
// next, and after a crash, so these differ too where a job hands them on: as the end of a sleep, as gw.now().
class ClockReadings {
 public:
  explicit ClockReadings(const Memory& memory) {
    for (const auto& [id, run] : memory.runs) {
      add(run.submitted.submitted_at);
      if (run.done) add(run.done->at);
      for (const auto& [path, step] : run.steps) {
        add(step.started_at);
        add(step.finished_at);
      }
      for (const auto& [path, wait] : run.waits) {
        add(wait.at);
        if (wait.until) add(*wait.until);
      }
    }
  }

  // Of seconds since 1970.
  bool has(double seconds) const {
    const double microseconds = std::round(seconds * 1e6);
    return std::abs(microseconds) < 9e18 &&
           instants_.contains(base::from_microseconds(static_cast<std::int64_t>(microseconds)));
  }
  // The text with a mark in the place of each instant.
  std::string without_instants(std::string_view text) const {
    static const std::size_t kLength = base::format_instant({}).size();
    std::string result;
    while (text.size() >= kLength) {
      const bool known = texts_.contains(text.substr(0, kLength));
      result += known ? "(an instant)" : text.substr(0, 1);
      text.remove_prefix(known ? kLength : 1);
    }
    return result.append(text);
  }

 private:
  void add(base::Instant instant) {
    instants_.insert(instant);
    texts_.insert(base::format_instant(instant));
  }
  std::set<base::Instant> instants_;
  std::set<std::string, std::less<>> texts_;
};

// Takes over from `expected` what differs from it in nothing but readings of the clocks.
class ClockLeveller {
 public:
  ClockLeveller(const Memory& expected, const Memory& got) : expected_(expected), got_(got) {}

  void level(const json::value& expected, json::value& got) const {
    if (expected.is_object() && got.is_object()) return objects(expected.get_object(), got.get_object());
    if (expected.is_array() && got.is_array()) return lists(expected.get_array(), got.get_array());
    if (expected != got && is_same_reading(expected, got)) got = expected;
  }

 private:
  void objects(const json::object& expected, json::object& got) const {
    for (const auto& [key, value] : expected)
      if (auto* other = got.if_contains(key)) level(value, *other);
  }
  void lists(const json::array& expected, json::array& got) const {
    for (std::size_t i = 0; i < std::min(expected.size(), got.size()); ++i) level(expected[i], got[i]);
  }
  bool is_same_reading(const json::value& expected, const json::value& got) const {
    if (expected.is_double() && got.is_double())
      return expected_.has(expected.get_double()) && got_.has(got.get_double());
    return expected.is_string() && got.is_string() &&
           expected_.without_instants(expected.get_string()) == got_.without_instants(got.get_string());
  }

  ClockReadings expected_, got_;
};

}  // namespace

std::vector<std::string> journal_differences(const Memory& expected, const Memory& got) {
  const json::value wanted = journal_view(expected);
  json::value found = journal_view(got);
  if (wanted != found) ClockLeveller(expected, got).level(wanted, found);
  return differences(wanted, found, Match::whole, "journal");
}

}  // namespace godwit::lab
