// Goal: `godwit plugin check` finds what is wrong with a plugin and says it, and has nothing against a good one.
// Method: one plugin for each fault, the finding it must give, and good plugins that must pass everything.
#include <catch2/catch.hpp>

#include <fstream>

#include "support/daemon_process.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using support::CommandResult;
using support::run_command;
namespace json = base::json;

namespace {

const std::string kGodwit = GODWIT_BINARY_DIR "/bin/godwit";

CommandResult check(const std::string& plugin, std::vector<std::string> more = {}) {
  std::vector<std::string> words{"plugin", "check", plugin};
  words.insert(words.end(), more.begin(), more.end());
  return run_command(kGodwit, words);
}

struct Case {
  std::string plugin;
  std::string only;
  std::string finding;
};

}  // namespace

TEST_CASE("each unfit plugin fails the check that is made for its fault, and is told why") {
  const auto fault = GENERATE(values<Case>({
      {"leak", "life.slopes", "memory grows"},
      {"fd_leak", "life.slopes", "descriptors were left open"},
      {"overread", "hostile.input", "SIGSEGV"},
      {"writes_input", "hostile.input", "SIGSEGV"},
      {"deaf", "life.cancel", "does not end within cancel_ms"},
      {"deaf", "life.deadline", "of its deadline"},
      {"twice", "fuzz.inputs", "output() is called twice"},
      {"no_json", "fuzz.inputs", "the result is not JSON"},
      {"exits", "fuzz.inputs", "exit code 0"},
      {"ignores_failure", "hostile.failing_host", "although output() gave status"},
      {"impure", "durable.repeat", "declared pure"},
      {"off_schema", "fuzz.inputs", "does not fit its schema"},
      {"use_after_release", "fuzz.inputs", "SIGSEGV"},
      {"forgets", "durable.resume", "gives another result"},
      {"noisy_load", "load.quiet", "hello from the constructor"},
      {"forks_load", "load.quiet", "loading it starts 1 processes"},
      {"late", "life.slopes", "log() for a call whose run() has returned"},
      {"other_unit", "load.manifest", "which the file does not have"},
      {"exports", "static.exports", "a_symbol_of_the_plugin"},
      {"run_path", "static.hardening", "/tmp/somewhere"},
      {"exec_stack", "static.hardening", "executable stack"},
      {"claims", "contract.shape", "requires \"model\""},
      {"claims", "contract.shape", "\"retry_safe\" must be true"},
  }));
  INFO(fault.plugin << " " << fault.only);
  const auto result =
      check(GODWIT_BINARY_DIR "/unfit-plugins/" + fault.plugin + ".so", {"--only", fault.only, "--seed", "7"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.out, Catch::Contains("error: ") && Catch::Contains(fault.finding) && Catch::Contains("--seed 7"));
}

TEST_CASE("a plugin that takes signals over is warned, since a language's runtime may have to") {
  const auto result =
      check(GODWIT_BINARY_DIR "/unfit-plugins/takes_signals.so", {"--only", "life.slopes", "--seed", "7"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, Catch::Contains("takes SIGSEGV over"));
}

TEST_CASE("what a plugin lets out is told: exceptions, and processes, of which none is left") {
  const auto thrown = check(GODWIT_BINARY_DIR "/zoo/throws.so", {"--only", "hostile.no_extensions"});
  CHECK_THAT(thrown.out, Catch::Contains("run() lets an exception out: thrown over the fence"));
  const auto left = check(GODWIT_BINARY_DIR "/zoo/leaves_children.so", {"--only", "hostile.no_extensions"});
  CHECK_THAT(left.out, Catch::Contains("20 processes that it had started outlived it"));
  CHECK(run_command("/usr/bin/pgrep", {"-f", "^[^ ]*godwit-check .*leaves_children"}).exit_code == 1);
}

TEST_CASE("good plugins pass every check") {
  for (const char* plugin : {"checkpoint", "noop"}) {
    const auto result = check(std::string(GODWIT_BINARY_DIR "/test-plugins/") + plugin + ".so");
    INFO(result.out << result.err);
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.out, Catch::Contains("The plugin passes."));
  }
}

TEST_CASE("a provider that claims a contract is held against it") {
  const auto result = check(GODWIT_BINARY_DIR "/plugins/timetable.so", {"--only", "contract", "--only", "static"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
}

TEST_CASE("the report comes as JSON and as JUnit too") {
  const support::TempDir dir;
  const std::string junit = (dir / "report.xml").string();
  const auto result =
      check(GODWIT_BINARY_DIR "/unfit-plugins/run_path.so", {"--only", "static", "--json", "--junit", junit});
  CHECK(result.exit_code == 1);
  const json::value report = base::parse_json(result.out);
  CHECK_FALSE(report.at("passed").as_bool());
  bool found = false;
  for (const auto& one : report.at("checks").as_array())
    found = found || (one.at("check") == "static.hardening" && one.at("verdict") == "failed");
  CHECK(found);
  std::ifstream file(junit);
  const std::string xml((std::istreambuf_iterator<char>(file)), {});
  CHECK_THAT(xml, Catch::Contains("<testcase classname=\"godwit.plugin\" name=\"static.hardening\"") &&
                      Catch::Contains("<failure"));
}

TEST_CASE("a file that is no plugin, a wrong name and a distribution that is too old are told") {
  CHECK_THAT(check("/etc/passwd", {"--only", "static.note"}).out, Catch::Contains("no ELF file"));
  CHECK_THAT(check(GODWIT_BINARY_DIR "/test-plugins/noop.so", {"--only", "life.slope5"}).err,
             Catch::Contains("life.slopes"));
  CHECK_THAT(check(GODWIT_BINARY_DIR "/test-plugins/noop.so", {"--only", "static.libraries", "--runs-on", "msdos"}).out,
             Catch::Contains("not known"));
  CHECK(check(GODWIT_BINARY_DIR "/test-plugins/noop.so", {"--list"}).out.find("durable.resume") != std::string::npos);
  CHECK_THAT(run_command(kGodwit, {"plugin", "check"}).err, Catch::Contains("which plugin"));
}
