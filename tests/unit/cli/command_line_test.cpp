#include "cli/command_line.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "cli/manual.hpp"

using namespace godwit;
using namespace godwit::cli;

namespace {

std::string error_of(const std::vector<std::string>& words) {
  try {
    CommandLine::parse(words);
  } catch (const base::Error& error) {
    CHECK(error.kind() == base::ErrorKind::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Options stand before or after the command, and repeat where they may") {
  const auto line = CommandLine::parse({"--json", "submit", "flock", "-p", "a=1", "--param", "b=[1,2]", "-p=c=x", "--socket=/tmp/s", "--wait"});
  CHECK(line.command->full_name() == "submit");
  CHECK(line.text("JOB|FILE") == "flock");
  CHECK(line.texts("param").size() == 3);
  CHECK(line.has("json"));
  CHECK(line.has("wait"));
  CHECK_FALSE(line.has("follow"));
  CHECK(line.text("socket") == "/tmp/s");
}

TEST_CASE("An option's value is one word, so that arguments may follow") {
  const auto line = CommandLine::parse({"submit", "-p", "a=1", "flock"});
  CHECK(line.texts("param") == std::vector<std::string>{"a=1"});
  CHECK(line.text("JOB|FILE") == "flock");
}

TEST_CASE("Commands of groups and arguments that repeat are understood") {
  const auto line = CommandLine::parse({"job", "validate", "a.yaml", "b.yaml"});
  CHECK(line.command->full_name() == "job validate");
  CHECK(line.texts("FILE").size() == 2);
  const auto set = CommandLine::parse({"limit", "set", "api", "4"});
  CHECK(set.text("NAME") == "api");
  CHECK(set.text("LIMIT") == "4");
  CHECK(CommandLine::parse({"show", "17"}).run() == model::RunId{17});
}

TEST_CASE("A wrong command line is refused with what was meant") {
  CHECK(error_of({"sumbit"}).find("'submit'") != std::string::npos);
  CHECK(error_of({"job", "lst"}).find("'list'") != std::string::npos);
  CHECK(error_of({"job"}).find("validate") != std::string::npos);
  CHECK(error_of({"list", "--stat=running"}).find("'--state'") != std::string::npos);
  CHECK(error_of({"submit"}).find("JOB") != std::string::npos);
  CHECK_FALSE(error_of({"show", "1", "2"}).empty());
  CHECK_FALSE(error_of({"list", "--limit"}).empty());
  CHECK_FALSE(error_of({"--json"}).empty());
  CHECK_THROWS_AS(CommandLine::parse({"show", "x"}).run(), base::Error);
  CHECK_THROWS_AS(CommandLine::parse({"show", "0"}).run(), base::Error);
  CHECK_THROWS_AS(CommandLine::parse({"list", "--limit", "99999999999999999999"}).number("limit"), base::Error);
}

TEST_CASE("Help is asked for anywhere") {
  CHECK(CommandLine::parse({"--help"}).help);
  CHECK(CommandLine::parse({"submit", "--help"}).command->full_name() == "submit");
  CHECK(CommandLine::parse({"job", "graph", "-h"}).help);
}

TEST_CASE("Help, manual page and completion name every command and option") {
  const std::string man = manual_page(), completion = bash_completion(), all = overview();
  for (const auto& command : commands()) {
    INFO(command.full_name());
    CHECK(command.summary.ends_with('.'));
    CHECK(all.find("  " + command.full_name()) != std::string::npos);
    CHECK(man.find(".SS godwit " + command.full_name()) != std::string::npos);
    const auto help = help_of(command);
    for (const auto& option : command.options) {
      CHECK(option.summary.ends_with('.'));
      CHECK(help.find("--" + long_name(option)) != std::string::npos);
      CHECK(completion.find("--" + long_name(option)) != std::string::npos);
    }
  }
}
