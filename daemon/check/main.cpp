// godwit-check PLUGIN.so: tries a plugin as a hostile world would, and says what broke. `godwit plugin check` starts
// it.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/json_text.hpp"
#include "base/standard_streams.hpp"
#include "base/suggest.hpp"
#include "check/arguments.hpp"
#include "check/elf_file.hpp"
#include "check/runner.hpp"

namespace {

using namespace godwit;
using namespace godwit::check;

bool is_wanted(const Check& check, const std::vector<std::string>& only) {
  if (only.empty()) return true;
  for (const auto& name : only)
    if (check.name.starts_with(name)) return true;
  return false;
}

void require_known(const std::vector<std::string>& only) {
  std::vector<std::string> known;
  for (const auto& check : checks()) known.emplace_back(check.name);
  for (const auto& name : only) {
    bool found = false;
    for (const auto& check : checks()) found = found || check.name.starts_with(name);
    if (!found)
      throw base::Error(base::ErrorKind::usage, "there is no check '" + name + "'", {}, base::suggest(name, known));
  }
}

// What is no plugin at all is told once, and not by every check.
void require_plugin(const std::string& path) {
  if (!std::filesystem::exists(path))
    throw base::Error(base::ErrorKind::not_found, "there is no such file", {path, 0, 0, {}});
  try {
    read_elf(path);
  } catch (const base::Error& error) {
    throw base::Error(base::ErrorKind::refused, error.problems());
  }
}

void write_file(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::fputs(text.c_str(), stdout);
    return;
  }
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw base::Error(base::ErrorKind::failed, "cannot be written", {path, 0, 0, {}});
}

int list() {
  for (const auto& check : checks())
    std::printf("%-22s %s\n", std::string(check.name).c_str(), std::string(check.summary).c_str());
  return 0;
}

int run(const Arguments& arguments) {
  if (arguments.list) return list();
  // As in godwit-host.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  const Runner runner(arguments.options, arguments.words);
  for (const auto& check : checks())
    if (check.name == arguments.child) runner.run_child(check);
  require_known(arguments.only);
  require_plugin(arguments.options.plugin);
  std::vector<Outcome> outcomes;
  bool failed = false;
  for (const auto& check : checks()) {
    if (!is_wanted(check, arguments.only)) continue;
    outcomes.push_back(arguments.in_process ? runner.run_here(check) : runner.run(check));
    failed = failed || outcomes.back().failed();
  }
  if (!arguments.json.empty())
    write_file(arguments.json,
               base::serialize(json_report(arguments.options.plugin, arguments.options.seed, outcomes)) + "\n");
  if (!arguments.junit.empty()) write_file(arguments.junit, junit_report(arguments.options.plugin, outcomes));
  if (arguments.json != "-" && arguments.junit != "-") {
    std::fputs(text_report(outcomes).c_str(), stdout);
    std::printf("The same choices again: --seed %llu\n", static_cast<unsigned long long>(arguments.options.seed));
  }
  return failed ? 1 : 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    const int code = run(read_arguments({words + 1, words + count}));
    base::require_printed();
    return code;
  } catch (const base::Error& error) {
    std::fprintf(stderr, "godwit plugin check: %s\n", error.what());
    return base::info(error.kind()).exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwit plugin check: a bug of godwit's: %s\n", error.what());
    return 1;
  }
}
