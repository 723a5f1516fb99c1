#include "store/cluster_files.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/error.hpp"
#include "store/postgres_binaries.hpp"

namespace godwit::store {
namespace {

namespace fs = std::filesystem;

constexpr off_t kLogMax = 8 << 20;
constexpr off_t kLogKept = 1 << 20;
constexpr std::string_view kSocketName = "/.s.PGSQL.5432";

constexpr auto kSettings = R"(# Written by godwitd at every start. Your own settings go to local.conf beside this file.
shared_buffers = 64MB
max_connections = 40
fsync = on
synchronous_commit = on
full_page_writes = on
# After a crash one call for the whole file system, not one for each file: back in half a second instead of several.
recovery_init_sync_method = syncfs
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
lc_messages = 'C'
include_if_exists 'local.conf'
)";

[[noreturn]] void fail(const std::string& what, const fs::path& path, const std::string& hint = {}) {
  throw base::Error(base::ErrorKind::failed, fmt::format("{}: {}", what, std::strerror(errno)), {path.string()}, hint);
}

void make_folder(const fs::path& path, mode_t mode, const ClusterUser* owner) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) fail("the folder cannot be made", path);
  if (chmod(path.c_str(), mode) != 0) fail("the folder's mode cannot be set", path);
  if (owner && owner->switch_to && chown(path.c_str(), owner->user, owner->group) != 0)
    fail("the folder cannot be given away", path);
}

void write_file(const fs::path& path, const std::string& text) {
  const fs::path fresh = path.string() + ".new";
  std::ofstream(fresh, std::ios::trunc) << text << std::flush;
  std::error_code error;
  fs::permissions(fresh, fs::perms(0644), error);
  if (rename(fresh.c_str(), path.c_str()) != 0) fail("the file cannot be written", path);
}

bool fits_socket(const fs::path& folder) {
  return folder.string().size() + kSocketName.size() < sizeof(sockaddr_un::sun_path);
}

// A folder that only the cluster's user can use, and no link that somebody else laid.
bool is_private(const fs::path& folder, const ClusterUser& user) {
  struct stat status {};
  return lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == user.user &&
         (status.st_mode & 0777) == 0700;
}

std::string name_of(uid_t user) {
  const passwd* entry = getpwuid(user);
  return entry ? entry->pw_name : "";
}

}  // namespace

ClusterUser cluster_user() {
  if (geteuid() != 0) return {geteuid(), getegid(), name_of(geteuid()), std::nullopt};
  for (const char* name : {"postgres", "nobody"})
    if (const passwd* entry = getpwnam(name))
      return {entry->pw_uid, entry->pw_gid, name, process::User{entry->pw_uid, entry->pw_gid}};
  throw base::Error(base::ErrorKind::failed,
                    "PostgreSQL does not run as root, and there is neither a user postgres nor nobody", {},
                    "make a user postgres, or set database.url");
}

ClusterFiles::ClusterFiles(const std::string& state_dir, std::string bin_dir)
    : root_(fs::absolute(state_dir)),
      home_(root_ / "postgres"),
      data_(home_ / "data"),
      bin_dir_(std::move(bin_dir)),
      user_(cluster_user()) {}

void ClusterFiles::make() {
  std::error_code error;
  fs::create_directories(root_, error);
  if (fs::exists(home_)) return;
  const fs::path fresh = root_ / "postgres.new";
  fs::remove_all(fresh, error);
  if (error)
    throw base::Error(base::ErrorKind::failed, "an unfinished cluster cannot be removed: " + error.message(),
                      {fresh.string()});
  make_folder(fresh, 0711, nullptr);
  make_folder(fresh / "data", 0700, &user_);
  run_initdb(fresh / "data");
  if (rename(fresh.c_str(), home_.c_str()) != 0) fail("the new cluster cannot be put in its place", home_);
}

// Looked for when a program is to be started, since that takes others: who finds a server at work need not.
const fs::path& ClusterFiles::binaries() {
  if (!binaries_.empty()) return binaries_;
  int made_by = 0;
  std::ifstream(data_ / "PG_VERSION") >> made_by;
  return binaries_ = find_postgres_binaries(bin_dir_, made_by);
}

void ClusterFiles::run_initdb(const fs::path& data) {
  const auto log = open_log();
  process::SpawnOptions options;
  options.program = binaries() / "initdb";
  options.arguments = {
      "-D", data, "-U", "godwit", "-E", "UTF8", "--locale=C", "--data-checksums", "--auth=peer", "--no-instructions"};
  options.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  options.directory = "/";
  options.fds = {-1, log.get(), log.get()};
  options.user = user_.switch_to;
  const auto exit = process::spawn(options).wait();
  if (exit.clean()) return;
  throw base::Error(
      base::ErrorKind::failed, fmt::format("initdb ended with {}: {}", exit.text(), log_tail()), {data.string()},
      user_.switch_to ? fmt::format("user {} must be able to pass through every folder above it", user_.name)
                      : std::string());
}

// A path of a socket has at most 107 bytes; where the state directory lies deeper, a short private folder is made and
// remembered.
void ClusterFiles::choose_socket_dir() {
  socket_dir_ = home_ / "socket";
  if (fits_socket(socket_dir_)) return make_folder(socket_dir_, 0700, &user_);
  const fs::path memory = home_ / "socket_dir";
  std::string remembered;
  std::getline(std::ifstream(memory), remembered);
  if (!remembered.empty() && is_private(remembered, user_)) {
    socket_dir_ = remembered;
    return;
  }
  for (std::string pattern : {"/run/godwit-XXXXXX", "/tmp/godwit-XXXXXX"}) {
    if (!mkdtemp(pattern.data())) continue;
    socket_dir_ = pattern;
    make_folder(socket_dir_, 0700, &user_);
    return write_file(memory, pattern + "\n");
  }
  fail("no folder for PostgreSQL's socket can be made in /run or /tmp", "/tmp",
       "choose a state directory with a shorter path");
}

void ClusterFiles::write_settings() {
  choose_socket_dir();
  write_file(home_ / "godwit.conf", kSettings);
  // Whoever may use the socket's folder is the daemon, the cluster's user or root; a user without a name cannot be
  // checked by peer.
  const std::string own = name_of(geteuid());
  write_file(home_ / "pg_hba.conf", own.empty() ? "local all all trust\n" : "local all all peer map=godwit\n");
  std::string map = "godwit root godwit\n";
  for (const auto& name : {own, user_.name})
    if (!name.empty() && name != "root") map += fmt::format("godwit \"{}\" godwit\n", name);
  write_file(home_ / "pg_ident.conf", map);
}

process::SpawnOptions ClusterFiles::server(int log) {
  process::SpawnOptions options;
  options.program = binaries() / "postgres";
  const auto setting = [&](const std::string& name, const std::string& value) {
    options.arguments.push_back("-c");
    options.arguments.push_back(name + "=" + value);
  };
  options.arguments = {"-D", data_};
  setting("config_file", home_ / "godwit.conf");
  setting("hba_file", home_ / "pg_hba.conf");
  setting("ident_file", home_ / "pg_ident.conf");
  setting("listen_addresses", "");
  setting("port", "5432");
  setting("unix_socket_directories", "\"" + socket_dir_.string() + "\"");
  setting("unix_socket_permissions", "0700");
  options.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  options.directory = "/";
  options.fds = {-1, log, log};
  options.user = user_.switch_to;
  options.die_with_parent = false;
  options.kill_on_destruction = false;
  return options;
}

base::UniqueFd ClusterFiles::open_log() const {
  const fs::path path = root_ / "postgres.log";
  base::UniqueFd log(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!log) fail("the log of PostgreSQL cannot be opened", path);
  return log;
}

void ClusterFiles::bound_log() const {
  const auto log = open_log();
  struct stat status {};
  if (fstat(log.get(), &status) != 0 || status.st_size < kLogMax) return;
  std::string kept(kLogKept, '\0');
  const ssize_t length = pread(log.get(), kept.data(), kept.size(), status.st_size - kLogKept);
  kept.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  std::ofstream(root_ / "postgres.log.1", std::ios::trunc) << kept;
  // The server writes at the end, wherever that is.
  [[maybe_unused]] const int cut = ftruncate(log.get(), 0);
}

std::string ClusterFiles::log_tail() const {
  const auto log = open_log();
  struct stat status {};
  char text[600];
  if (fstat(log.get(), &status) != 0) return {};
  const ssize_t length = pread(log.get(), text, sizeof text, std::max<off_t>(0, status.st_size - off_t(sizeof text)));
  std::string tail(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  std::replace(tail.begin(), tail.end(), '\n', ' ');
  return tail;
}

}  // namespace godwit::store
