#include "lab/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/terminal.hpp"
#include "base/utf8.hpp"

namespace godwit::lab {
namespace {

constexpr std::size_t kNameWidth = 60;

std::string plural(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string notes(const TestResult& result) {
  std::string text = std::to_string(result.wall.count()) + " ms";
  if (result.took >= std::chrono::seconds(1))
    text += ", " + base::format_duration(std::chrono::duration_cast<std::chrono::seconds>(result.took)) +
            " of the job's time";
  if (result.crashes > 0) text += ", " + std::to_string(result.crashes) + " crashes";
  if (result.unblocked > 0) text += ", " + std::to_string(result.unblocked) + " of unknown outcome";
  return text;
}

std::string test_line(const TestResult& result, bool color) {
  const bool passed = result.problems.empty();
  std::string word = passed ? "ok  " : "FAIL";
  if (color) word = (passed ? "\x1b[32m" : "\x1b[31m") + word + "\x1b[0m";
  std::string name = base::printable(result.test);
  const std::size_t width = base::display_width(name);
  if (width < kNameWidth) name.append(kNameWidth - width, ' ');
  return "  " + word + "  " + name + "  " + notes(result) + "\n";
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : base::repaired_utf8(text)) {
    if (c == '<')
      result += "&lt;";
    else if (c == '&')
      result += "&amp;";
    else if (c == '"')
      result += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
      result += c;
  }
  return result;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

std::size_t failures(const std::vector<TestResult>& results) {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [](const auto& result) { return !result.problems.empty(); }));
}

}  // namespace

std::string report_text(const std::vector<TestResult>& results, bool color, bool quiet) {
  std::string text, heading;
  for (const auto& result : results) {
    if (quiet && result.problems.empty()) continue;
    // One test file may hold for several forms of its job.
    const std::string here = result.file + " (" + std::filesystem::path(result.job).filename().string() + ")";
    if (here != heading) text += base::printable(here) + "\n";
    heading = here;
    text += test_line(result, color);
    for (const auto& problem : result.problems) text += "        " + base::printable(problem) + "\n";
  }
  const std::size_t failed = failures(results);
  return text + plural(results.size(), "test") +
         (failed == 0 ? ", all passed\n" : ", " + std::to_string(failed) + " failed\n");
}

json::array report_json(const std::vector<TestResult>& results) {
  json::array list;
  for (const auto& result : results)
    list.push_back(json::object{{"file", base::repaired_utf8(result.file)},
                                {"job", base::repaired_utf8(result.job)},
                                {"test", result.test},
                                {"passed", result.problems.empty()},
                                {"problems", json::value_from(result.problems)},
                                {"took_us", result.took.count()},
                                {"wall_ms", result.wall.count()},
                                {"crashes", result.crashes},
                                {"unblocked", result.unblocked}});
  return list;
}

std::string report_junit(const std::vector<TestResult>& results) {
  std::string text =
      fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{}\" failures=\"{}\">\n",
                  results.size(), failures(results));
  for (auto first = results.begin(); first != results.end();) {
    const auto last = std::find_if(first, results.end(), [&](const auto& result) {
      return result.job != first->job || result.file != first->file;
    });
    const std::vector<TestResult> suite(first, last);
    text += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n", escaped(first->job), suite.size(),
                        failures(suite));
    for (const auto& result : suite) {
      text += fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", escaped(result.job),
                          escaped(result.test), static_cast<double>(result.wall.count()) / 1000);
      if (result.problems.empty())
        text += "/>\n";
      else
        text += fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                            escaped(result.problems.front()), escaped(joined(result.problems)));
    }
    text += "  </testsuite>\n";
    first = last;
  }
  return text + "</testsuites>\n";
}

}  // namespace godwit::lab
