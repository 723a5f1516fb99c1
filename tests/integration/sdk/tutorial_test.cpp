// Goal: what sdk/README.md tells to do works, and plugins of other languages and compilers are as good. Method: the
// commands of the README, taken from its text, in an empty home folder.
#include <catch2/catch.hpp>

#include "installation.hpp"

using godwit::support::Installation;
namespace fs = std::filesystem;

namespace {

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The lines of the first block of shell after the heading.
std::vector<std::string> commands(const std::string& text, const std::string& heading) {
  std::size_t at = text.find("```sh\n", text.find(heading));
  REQUIRE(at != std::string::npos);
  at += 6;
  std::vector<std::string> lines;
  const std::size_t end = text.find("```", at);
  while (at < end) {
    const std::size_t line_end = text.find('\n', at);
    lines.push_back(text.substr(at, line_end - at));
    at = line_end + 1;
  }
  return lines;
}

void must(Installation& home, const std::string& command, const std::string& says = {}) {
  INFO(command);
  const auto result = home.sh(command);
  INFO(result.out);
  REQUIRE(result.exit_code == 0);
  if (!says.empty()) CHECK_THAT(result.out, Catch::Contains(says));
}

// A plugin from a template: built, checked, and used by a job.
void build_check_run(Installation& home, const std::string& name, const std::string& language,
                     const std::string& cmake_options, const std::string& output) {
  must(home, "godwit plugin new " + name + " --lang " + language);
  must(home, "cmake -S " + name + " -B " + name + "/build " + cmake_options + " && cmake --build " + name + "/build");
  must(home, "godwit plugin check " + name + "/build/plugins/" + name + ".so", "The plugin passes.");
  must(home, "mkdir -p plugins && cp " + name + "/build/plugins/" + name + ".so plugins/");
  must(home, "godwitd --plugin-dir plugins & godwit ping --wait && godwit submit " + name + "/job.yaml --wait", output);
  home.stop_daemon();
}

}  // namespace

TEST_CASE("the five commands of sdk/README.md lead from nothing to a job that uses a new plugin") {
  Installation home;
  const auto lines = commands(read(GODWIT_SOURCE_DIR "/sdk/README.md"), "## Five commands");
  REQUIRE(lines.size() == 5);
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) must(home, lines[i]);
  must(home, lines[4], "Hello, godwit!");
  // The schema in the manifest came from the struct.
  must(home, "godwit plugin show com.example.hello", "Who is greeted");
  const auto refused = home.sh("sed -i s/times:\\ 2/times:\\ 0/ hello/job.yaml && godwit submit hello/job.yaml --wait");
  CHECK_THAT(refused.out, Catch::Contains("times"));
  CHECK(refused.exit_code != 0);
}

TEST_CASE("plugins in C and in Rust, of clang with libc++, and with the old ABI of strings, pass the same tests") {
  Installation home;
  REQUIRE(home.install().exit_code == 0);
  build_check_run(home, "plainc", "c", "", "godwit");
  if (home.sh("rustc --version").exit_code == 0) {
    build_check_run(home, "oxide", "rust", "", "godwit");
  } else {
    WARN("skipped: there is no rustc");
  }
  if (home.sh("echo '#include <vector>' | clang++ -stdlib=libc++ -x c++ -fsyntax-only -").exit_code == 0) {
    build_check_run(home, "clang", "c++", "-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS=-stdlib=libc++",
                    "Hello, godwit!");
  } else {
    WARN("skipped: there is no clang with libc++");
  }
  build_check_run(home, "oldabi", "c++", "-DCMAKE_CXX_STANDARD=17 -DCMAKE_CXX_FLAGS=-D_GLIBCXX_USE_CXX11_ABI=0",
                  "Hello, godwit!");
}

TEST_CASE("plugin new writes nothing over what is there, and takes names that build only") {
  Installation home;
  const std::string godwit = GODWIT_BINARY_DIR "/bin/godwit";
  CHECK(home.sh(godwit + " plugin new a").exit_code == 0);
  CHECK_THAT(home.sh(godwit + " plugin new a").out, Catch::Contains("already there"));
  CHECK_THAT(home.sh(godwit + " plugin new 'A b'").out, Catch::Contains("no name for a plugin"));
  CHECK_THAT(home.sh(godwit + " plugin new b --lang cobol").out, Catch::Contains("c++, c and rust"));
  CHECK_FALSE(fs::exists(home.path("b")));
}
