// Goal: the table of floors (daemon/README.md) is a fact. Method: read every #include line and hold it against the
// table.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

const fs::path kSource = GODWIT_SOURCE_DIR;

// Which folders of daemon/ a folder may include, besides itself.
const std::map<std::string, std::set<std::string>> kMayInclude{
    {"base", {}},
    {"model", {"base"}},
    {"config", {"base", "model"}},
    {"expression", {"base", "model"}},
    {"wire", {"base", "model"}},
    {"process", {"base", "model"}},
    {"cron", {"base", "model"}},
    {"artifact", {"base"}},
    {"jobfile", {"base", "model", "config", "expression", "cron"}},
    {"script", {"base", "model", "expression"}},
    {"engine", {"base", "model", "config", "expression", "cron", "jobfile"}},
    {"store", {"base", "model", "config", "expression", "wire", "process", "artifact", "cron", "jobfile", "engine"}},
    {"host_pool",
     {"base", "model", "config", "expression", "wire", "process", "artifact", "cron", "jobfile", "engine"}},
    {"control", {"base", "model", "config", "expression", "wire", "process", "cron", "jobfile", "engine"}},
    {"app",
     {"base", "model", "config", "expression", "wire", "process", "artifact", "cron", "jobfile", "engine", "store",
      "host_pool", "control"}},
    {"lab",
     {"base", "model", "config", "expression", "wire", "process", "artifact", "cron", "jobfile", "script", "engine",
      "host_pool"}},
    {"cli", {"base", "model", "wire", "cron"}},
    {"host", {"base", "model", "expression", "wire", "process", "script"}},
    {"egress", {"base", "model", "wire"}},
    {"check", {"base", "model", "config", "expression", "wire", "process", "cron", "jobfile"}},
};
// The siblings of floor 5 see of the engine what it declares for them and nothing of what it does.
const std::map<std::string, std::set<std::string>> kEngineHeaders{
    {"store", {"store.hpp", "history.hpp", "answer.hpp", "clock.hpp", "cluster.hpp", "step_runner.hpp"}},
    {"host_pool", {"scripts.hpp", "step_runner.hpp", "answer.hpp", "clock.hpp", "rank.hpp"}},
};

struct Include {
  fs::path file;
  int line;
  std::string folder;  // of the includer
  std::string target;  // "engine/plan.hpp"
};

bool is_source(const fs::path& path) {
  return path.extension() == ".cpp" || path.extension() == ".hpp" || path.extension() == ".h";
}

std::vector<Include> includes_below(const fs::path& root) {
  static const std::regex pattern(R"re(^\s*#\s*include\s*["<]([^">]+)[">])re");
  std::vector<Include> found;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    std::ifstream in(entry.path());
    std::string text;
    const std::string folder = fs::relative(entry.path(), root).begin()->string();
    for (int line = 1; std::getline(in, text); ++line) {
      std::smatch match;
      if (std::regex_search(text, match, pattern)) found.push_back({entry.path(), line, folder, match[1]});
    }
  }
  return found;
}

std::string at(const Include& include) {
  return fs::relative(include.file, kSource).string() + ":" + std::to_string(include.line);
}

}  // namespace

TEST_CASE("every folder of daemon/ stands in the table of floors") {
  for (const auto& entry : fs::directory_iterator(kSource / "daemon")) {
    if (!entry.is_directory()) continue;
    INFO(entry.path());
    CHECK(kMayInclude.contains(entry.path().filename().string()));
  }
}

TEST_CASE("includes go down only") {
  for (const auto& include : includes_below(kSource / "daemon")) {
    const auto slash = include.target.find('/');
    if (slash == std::string::npos) continue;
    const std::string folder = include.target.substr(0, slash);
    if (!kMayInclude.contains(folder) || folder == include.folder) continue;
    INFO(at(include) << " includes " << include.target);
    CHECK(kMayInclude.at(include.folder).contains(folder));
    const auto narrowed = kEngineHeaders.find(include.folder);
    if (folder == "engine" && narrowed != kEngineHeaders.end())
      CHECK(narrowed->second.contains(include.target.substr(slash + 1)));
  }
}

TEST_CASE("only the host and the checker, and nobody else in daemon/, includes the sdk") {
  for (const auto& include : includes_below(kSource / "daemon")) {
    if (include.target.rfind("godwit/", 0) != 0) continue;
    INFO(at(include) << " includes " << include.target);
    CHECK((include.folder == "host" || include.folder == "check"));
  }
}

TEST_CASE("plugins include the sdk and themselves, nothing of the daemon") {
  for (const auto& include : includes_below(kSource / "plugins")) {
    const std::string folder = include.target.substr(0, include.target.find('/'));
    INFO(at(include) << " includes " << include.target);
    CHECK_FALSE((kMayInclude.contains(folder) && include.target.find('/') != std::string::npos));
  }
}

TEST_CASE("SQL stands in store/ only, and Lua in expression/ and script/ only") {
  for (const auto& include : includes_below(kSource / "daemon")) {
    INFO(at(include) << " includes " << include.target);
    if (include.target.find("pqxx") != std::string::npos || include.target.find("libpq") != std::string::npos)
      CHECK(include.folder == "store");
    if (include.target.find("lua") != std::string::npos && include.target.find(".h") != std::string::npos &&
        include.target.find('/') == std::string::npos)
      CHECK((include.folder == "expression" || include.folder == "script"));
  }
}
