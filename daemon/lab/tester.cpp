#include "lab/tester.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "lab/difference.hpp"
#include "lab/journal_view.hpp"
#include "lab/local_scripts.hpp"
#include "lab/story.hpp"
#include "lab/test_reader.hpp"
#include "lab/verdict.hpp"
#include "model/script_bundle.hpp"

namespace godwit::lab {
namespace {

// A sweep plays the story twice for each group of facts; of more groups than this a part is taken, evenly.
constexpr std::size_t kSweepMax = 400;
constexpr std::uint64_t kOtherSeed = 0x9e3779b9;

// A script goes with its modules.
std::string read_job(const std::filesystem::path& file) {
  std::string text = read_file(file, kJobFileMax);
  if (!model::is_script_name(file.string())) return text;
  const auto read_module = [&](const std::string& path) -> std::optional<std::string> {
    const auto module = file.parent_path() / path;
    std::error_code error;
    if (!std::filesystem::is_regular_file(module, error)) return std::nullopt;
    return read_file(module, kJobFileMax);
  };
  return model::collect_script(file.filename().string(), std::move(text), read_module).to_text();
}

void add(std::vector<std::string>& problems, const std::string& where, const std::vector<std::string>& lines) {
  for (const auto& line : lines) problems.push_back(where + line);
}

}  // namespace

// A job's file, and what a story of it needs.
struct Tester::Form {
  std::string file;
  std::string text;
  LocalScriptReader script_reader;
  jobfile::Library library;
  std::optional<Story::Setting> setting;
  std::map<std::string, Outcome> outcomes;  // by test

  explicit Form(const std::filesystem::path& path)
      : file(path.string()),
        text(read_job(path)),
        library({std::filesystem::absolute(path).parent_path()}, &script_reader, jobfile::Library::Twins::first) {
    library.reload();
  }
};

Tester::Tester(const config::Settings& settings, Options options)
    : settings_(settings),
      options_(std::move(options)),
      catalog_(settings),
      real_(catalog_, host_pool::host_settings(settings)) {}

std::vector<TestResult> Tester::run(const std::filesystem::path& path) {
  const TestFile file = read_tests(path);
  std::vector<TestResult> results;
  std::vector<std::unique_ptr<Form>> forms;
  for (const auto& job : file.jobs) {
    forms.push_back(std::make_unique<Form>(job));
    for (const auto& test : file.tests)
      if (test.name.find(options_.only) != std::string::npos)
        results.push_back(run_test(file, test, *forms.back(), forms.size() > 1 ? forms.front().get() : nullptr));
  }
  return results;
}

TestResult Tester::run_test(const TestFile& file, const Test& test, Form& form, const Form* other) {
  TestResult result{.file = file.file, .job = form.file, .test = test.name};
  const auto begin = std::chrono::steady_clock::now();
  auto limits = settings_.limits;
  for (const auto& [name, permits] : file.limits) limits[name] = model::LimitSpec{.permits = permits};
  form.setting.emplace(
      Story::Setting{file, test, form.file, form.text, form.library, catalog_, real_, std::move(limits)});
  try {
    run_twice(test, form, result);
    if (other && result.problems.empty()) compare(test, form, *other, result);
    if (options_.crash_sweep && result.problems.empty()) sweep(test, form, result);
  } catch (const base::Error& error) {
    for (const auto& problem : error.problems()) result.problems.push_back(problem.text());
  }
  result.wall = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  return result;
}

void Tester::run_twice(const Test& test, Form& form, TestResult& result) {
  const Outcome& first = form.outcomes[test.name] = Story(*form.setting, 0).play();
  result.took = first.took;
  result.problems = verdict(test.expect, first, language_);
  if (!result.problems.empty()) return;
  const Outcome again = Story(*form.setting, kOtherSeed).play();
  add(result.problems, "with another seed: ", journal_differences(first.memory, again.memory));
}

// Forms of one job do the same, each in its words.
void Tester::compare(const Test& test, const Form& form, const Form& other, TestResult& result) {
  const Outcome& mine = form.outcomes.at(test.name);
  const auto theirs = other.outcomes.find(test.name);
  if (theirs == other.outcomes.end() || mine.state != theirs->second.state || mine.state == kRefused) return;
  const auto view = [](const Outcome& outcome) { return common_view(outcome.memory.runs.at(outcome.run)); };
  auto expected = view(theirs->second), got = view(mine);
  // Forms that lie in one folder have names of their own; the words of an error name the place in the file.
  for (auto* one : {&expected, &got}) {
    one->erase("job");
    one->erase("error");
  }
  add(result.problems, "unlike " + std::filesystem::path(other.file).filename().string() + ": ",
      differences(expected, got, Match::whole, "journal"));
}

void Tester::sweep(const Test& test, Form& form, TestResult& result) {
  const Outcome& first = form.outcomes.at(test.name);
  // A run that waits for somebody may have come less far with its other steps.
  const auto run = first.memory.runs.find(first.run);
  const bool ended = run != first.memory.runs.end() && run->second.done;
  const std::size_t stride = (first.groups + kSweepMax - 1) / kSweepMax;
  for (std::size_t group = 1; group <= first.groups && result.problems.empty(); group += stride) {
    for (const bool after : {false, true}) {
      const Outcome outcome = Story(*form.setting, 0, MemoryStore::Death{group, after}).play();
      const std::string where =
          std::string("crashed ") + (after ? "after" : "before") + " commit " + std::to_string(group) + ": ";
      add(result.problems, where, outcome.faults);
      if (outcome.state != first.state)
        result.problems.push_back(where + "state: expected " + first.state + ", got " + outcome.state);
      if (ended) add(result.problems, where, journal_differences(first.memory, outcome.memory));
      ++result.crashes;
      result.unblocked += outcome.unblocked;
    }
  }
}

}  // namespace godwit::lab
