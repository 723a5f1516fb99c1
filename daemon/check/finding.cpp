#include "check/finding.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace godwit::check {
namespace {

namespace json = base::json;

constexpr std::array<std::string_view, 3> kSeverities{"error", "warning", "note"};

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", seconds);
  return text;
}

std::string xml(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '&') {
      result += "&amp;";
    } else if (c == '"') {
      result += "&quot;";
    } else if (static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t') {
      result += c;
    }
  }
  return result;
}

std::size_t count(const std::vector<Outcome>& outcomes, bool (*is)(const Outcome&)) {
  return static_cast<std::size_t>(std::count_if(outcomes.begin(), outcomes.end(), is));
}

}  // namespace

std::string_view name(Severity severity) {
  return kSeverities[static_cast<std::size_t>(severity)];
}

bool Outcome::failed() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::error; });
}

std::string text_report(const std::vector<Outcome>& outcomes) {
  std::string text;
  for (const auto& outcome : outcomes) {
    const char* verdict = outcome.failed() ? "FAILED " : !outcome.skipped.empty() ? "skipped" : "ok     ";
    text += std::string(verdict) + "  " + outcome.check +
            std::string(22 - std::min<std::size_t>(21, outcome.check.size()), ' ') + seconds_text(outcome.seconds) +
            " s" + (outcome.skipped.empty() ? "" : "  " + outcome.skipped) + "\n";
    for (const auto& finding : outcome.findings)
      text += "         " + std::string(name(finding.severity)) + ": " + finding.what + "\n";
  }
  const std::size_t failed = count(outcomes, [](const Outcome& outcome) { return outcome.failed(); });
  text += failed == 0
              ? "The plugin passes.\n"
              : "The plugin fails " + std::to_string(failed) + " of " + std::to_string(outcomes.size()) + " checks.\n";
  return text;
}

json::object json_report(const std::string& plugin, std::uint64_t seed, const std::vector<Outcome>& outcomes) {
  json::array checks;
  bool passed = true;
  for (const auto& outcome : outcomes) {
    json::array findings;
    for (const auto& finding : outcome.findings)
      findings.push_back(json::object{{"severity", name(finding.severity)}, {"what", finding.what}});
    json::object check{{"check", outcome.check},
                       {"verdict", outcome.failed()          ? "failed"
                                   : outcome.skipped.empty() ? "ok"
                                                             : "skipped"},
                       {"seconds", outcome.seconds},
                       {"findings", std::move(findings)}};
    if (!outcome.skipped.empty()) check["skipped"] = outcome.skipped;
    checks.push_back(std::move(check));
    passed = passed && !outcome.failed();
  }
  return {{"plugin", plugin}, {"seed", seed}, {"passed", passed}, {"checks", std::move(checks)}};
}

std::string junit_report(const std::string& plugin, const std::vector<Outcome>& outcomes) {
  const std::size_t failed = count(outcomes, [](const Outcome& outcome) { return outcome.failed(); });
  const std::size_t skipped = count(outcomes, [](const Outcome& outcome) { return !outcome.skipped.empty(); });
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + xml(plugin) + "\" tests=\"" +
                     std::to_string(outcomes.size()) + "\" failures=\"" + std::to_string(failed) + "\" skipped=\"" +
                     std::to_string(skipped) + "\">\n";
  for (const auto& outcome : outcomes) {
    std::string errors, others;
    for (const auto& finding : outcome.findings)
      (finding.severity == Severity::error ? errors : others) +=
          std::string(name(finding.severity)) + ": " + finding.what + "\n";
    text += "  <testcase classname=\"godwit.plugin\" name=\"" + xml(outcome.check) + "\" time=\"" +
            seconds_text(outcome.seconds) + "\">\n";
    if (!errors.empty())
      text +=
          "    <failure message=\"" + xml(errors.substr(0, errors.find('\n'))) + "\">" + xml(errors) + "</failure>\n";
    if (!outcome.skipped.empty()) text += "    <skipped message=\"" + xml(outcome.skipped) + "\"/>\n";
    if (!others.empty()) text += "    <system-out>" + xml(others) + "</system-out>\n";
    text += "  </testcase>\n";
  }
  return text + "</testsuite>\n";
}

}  // namespace godwit::check
