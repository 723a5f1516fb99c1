#include "store/postgres_binaries.hpp"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "process/child.hpp"

namespace godwit::store {
namespace {

namespace fs = std::filesystem;

constexpr int kOldest = 15;
constexpr auto kInstall =
    "install it (Debian: apt-get install postgresql), or set database.url to a PostgreSQL that you run";

// The first 4 KiB that a program prints; empty when it cannot be started or fails.
std::string output_of(const fs::path& program, const std::string& argument) {
  const base::UniqueFd output(memfd_create("output", MFD_CLOEXEC));
  if (!output || access(program.c_str(), X_OK) != 0) return {};
  process::SpawnOptions options;
  options.program = program;
  options.arguments = {argument};
  options.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  options.fds = {-1, output.get(), -1};
  if (!process::spawn(options).wait().clean()) return {};
  char text[4096];
  const ssize_t length = pread(output.get(), text, sizeof text, 0);
  return std::string(text, length > 0 ? static_cast<std::size_t>(length) : 0);
}

int version_in(const fs::path& folder) {
  if (access((folder / "initdb").c_str(), X_OK) != 0) return 0;
  return parse_postgres_version(output_of(folder / "postgres", "--version"));
}

std::set<fs::path> usual_folders() {
  std::set<fs::path> folders;
  for (const fs::path program : {"/usr/bin/pg_config", "/usr/local/bin/pg_config", "/usr/local/pgsql/bin/pg_config"}) {
    std::string folder = output_of(program, "--bindir");
    folder.erase(std::find(folder.begin(), folder.end(), '\n'), folder.end());
    if (!folder.empty()) folders.emplace(folder);
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) folders.insert(entry.path() / "bin");
  return folders;
}

}  // namespace

int parse_postgres_version(const std::string& text) {
  constexpr std::string_view kMark = "(PostgreSQL) ";
  const auto at = text.find(kMark);
  if (at == std::string::npos) return 0;
  int version = 0;
  std::from_chars(text.data() + at + kMark.size(), text.data() + text.size(), version);
  return version;
}

fs::path find_postgres_binaries(const std::string& wanted, int made_by) {
  const std::string cluster = fmt::format("the cluster was made by PostgreSQL {}", made_by);
  const std::string bring_over = fmt::format(
      "install that version beside the newer one (Debian: apt-get install postgresql-{}), or bring the cluster over "
      "with pg_upgrade",
      made_by);
  if (!wanted.empty()) {
    const int version = version_in(wanted);
    if (version >= kOldest && (made_by == 0 || version == made_by)) return wanted;
    if (version >= kOldest)
      throw base::Error(base::ErrorKind::failed, fmt::format("{} has PostgreSQL {}, but {}", wanted, version, cluster),
                        {}, bring_over);
    throw base::Error(base::ErrorKind::failed,
                      version == 0
                          ? fmt::format("there are no programs initdb and postgres in {}", wanted)
                          : fmt::format("{} has PostgreSQL {}, godwit needs {} or newer", wanted, version, kOldest),
                      {}, "set the folder of PostgreSQL's programs right, or leave it out to have them looked for");
  }
  int best = 0;
  fs::path found;
  for (const auto& folder : usual_folders()) {
    const int version = version_in(folder);
    if (version <= best || (made_by != 0 && version != made_by)) continue;
    best = version;
    found = folder;
  }
  if (best >= kOldest) return found;
  if (made_by != 0)
    throw base::Error(base::ErrorKind::failed, cluster + ", whose programs are not installed", {}, bring_over);
  throw base::Error(base::ErrorKind::failed,
                    best == 0
                        ? std::string("PostgreSQL's programs initdb and postgres are not installed")
                        : fmt::format("the newest PostgreSQL here is {}, godwit needs {} or newer", best, kOldest),
                    {}, kInstall);
}

}  // namespace godwit::store
