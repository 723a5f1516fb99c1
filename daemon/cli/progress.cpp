#include "cli/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/json_text.hpp"
#include "base/terminal.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr auto kWindow = std::chrono::seconds(20);
constexpr std::size_t kBarLeast = 10;
constexpr std::size_t kBarMost = 40;

void take(const json::object& object, std::string_view name, std::int64_t& into) {
  const auto* value = object.if_contains(name);
  if (value && value->is_int64() && value->get_int64() >= 0) into = value->get_int64();
}
void take(const json::object& object, std::string_view name, std::string& into) {
  const auto* value = object.if_contains(name);
  if (value && value->is_string()) into = value->get_string();
}

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string rate_text(double rate) {
  if (rate >= 100) return grouped(std::llround(rate)) + "/s";
  if (rate >= 0.95) return formatted("%.1f/s", rate);
  return rate * 60 >= 0.95 ? formatted("%.1f/min", rate * 60) : formatted("%.1f/h", rate * 3600);
}

// What follows the bar, most important first.
std::vector<std::string> parts(const Progress& progress) {
  std::vector<std::string> list;
  if (progress.total > 0) {
    list.push_back(grouped(progress.done) + "/" + grouped(progress.total));
    list.push_back(std::to_string(std::min<std::int64_t>(progress.done, progress.total) * 100 / progress.total) + "%");
  }
  if (progress.failed > 0) list.push_back(grouped(progress.failed) + " failed");
  if (progress.rate > 0) list.push_back(rate_text(progress.rate));
  if (progress.left) list.push_back(clock_text(*progress.left) + " left");
  for (const auto& field : progress.fields) {
    const auto& value = field.value();
    if (value.is_structured() || value.is_null()) continue;
    const std::string text = value.is_string() ? std::string(value.get_string()) : base::serialize(value);
    list.push_back(base::printable(field.key()) + "=" + base::fit(base::printable(text), 40));
  }
  return list;
}

std::string bar(const Progress& progress, std::size_t width) {
  const double share =
      progress.total > 0
          ? std::clamp(static_cast<double>(progress.done) / static_cast<double>(progress.total), 0.0, 1.0)
          : 0.0;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  std::string text(filled, '=');
  if (filled < width) text += progress.done > 0 || progress.state == "running" ? '>' : ' ';
  text.resize(width, ' ');
  return "[" + text + "]";
}

}  // namespace

void Progress::update(const json::object& event) {
  take(event, "run", run);
  take(event, "state", state);
  take(event, "done", done);
  take(event, "total", total);
  take(event, "failed", failed);
  if (const auto* given = event.if_contains("fields"); given && given->is_object()) fields = given->get_object();
  const auto* list = event.if_contains("stages");
  if (!list || !list->is_array()) return;
  stages.clear();
  for (const auto& entry : list->get_array()) {
    if (!entry.is_object()) continue;
    auto& stage = stages.emplace_back();
    take(entry.get_object(), "name", stage.name);
    take(entry.get_object(), "state", stage.state);
    take(entry.get_object(), "done", stage.done);
    take(entry.get_object(), "total", stage.total);
  }
}

void Speed::note(base::Tick at, std::int64_t done) {
  if (!samples_.empty() && done < samples_.back().second) samples_.clear();  // another count begins
  samples_.emplace_back(at, done);
  while (samples_.size() > 2 && at - samples_[1].first > kWindow) samples_.pop_front();
}

double Speed::per_second() const {
  if (samples_.size() < 2) return 0;
  const auto& [first_at, first] = samples_.front();
  const auto& [last_at, last] = samples_.back();
  const double seconds = std::chrono::duration<double>(last_at - first_at).count();
  return seconds < 0.2 ? 0 : static_cast<double>(last - first) / seconds;
}

std::string progress_bar(const Progress& progress, std::size_t width) {
  std::string head = "run " + std::to_string(progress.run) + " ";
  if (progress.state != "running" && !progress.state.empty()) head += base::printable(progress.state) + " ";
  std::string tail;
  for (const auto& part : parts(progress)) {
    // A part that no longer fits beside the smallest bar is left out, and so is what comes after it.
    if (base::display_width(head) + kBarLeast + 2 + base::display_width(tail) + 1 + base::display_width(part) > width)
      break;
    tail += " " + part;
  }
  const std::size_t used = base::display_width(head) + base::display_width(tail) + 2;
  if (used + kBarLeast > width) return base::fit(head + tail, width);
  return head + bar(progress, std::min(width - used, kBarMost)) + tail;
}

std::string progress_text(const Progress& progress) {
  std::string text = "run " + std::to_string(progress.run) + " " + base::printable(progress.state);
  for (const auto& part : parts(progress)) text += " " + part;
  std::string open;
  for (const auto& stage : progress.stages) {
    if (stage.state != "running") continue;
    open += (open.empty() ? "" : ", ") + base::printable(stage.name) + " " + grouped(stage.done) + "/" +
            grouped(stage.total);
  }
  return open.empty() ? text : text + " (" + open + ")";
}

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::ptrdiff_t first = text.starts_with('-') ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > first; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

std::string clock_text(std::chrono::seconds seconds) {
  const auto total = std::max<std::int64_t>(seconds.count(), 0);
  const long long days = total / 86400, hours = total / 3600 % 24, minutes = total / 60 % 60, rest = total % 60;
  if (days > 0) return formatted("%lldd %02lld:%02lld", days, hours, minutes);
  if (hours > 0) return formatted("%lld:%02lld:%02lld", hours, minutes, rest);
  return formatted("%lld:%02lld", minutes, rest);
}

}  // namespace godwit::cli
