#include "store/postmaster.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

namespace godwit::store {
namespace {

namespace fs = std::filesystem;

constexpr auto kLeftoverGrace = std::chrono::milliseconds(500);

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A dead process that nobody has reaped yet still has a number, but no folder it works in.
bool works_in(pid_t pid, const fs::path& folder) {
  std::error_code error;
  const auto cwd = fs::read_symlink(fs::path("/proc") / std::to_string(pid) / "cwd", error);
  return !error && fs::equivalent(cwd, folder, error);
}

bool is_postgres(pid_t pid) {
  return read_file(fs::path("/proc") / std::to_string(pid) / "comm").starts_with("postgres");
}

bool wait_for_end(int pidfd, base::Duration limit) {
  const auto deadline = base::tick() + limit;
  for (;;) {
    pollfd fd{pidfd, POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - base::tick()).count();
    if (poll(&fd, 1, static_cast<int>(std::max<std::int64_t>(0, left))) > 0) return true;
    if (left <= 0) return false;
  }
}

// First the descriptor, then the questions: what they say is then true of the process we hold.
base::UniqueFd open_if_postgres(pid_t pid, const fs::path& data) {
  base::UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  return pidfd && is_postgres(pid) && works_in(pid, data) ? std::move(pidfd) : base::UniqueFd();
}

}  // namespace

std::optional<PostmasterFile> parse_postmaster_file(const std::string& text) {
  // Lines: pid, data directory, start time, port, socket directory, listen address, shared memory, state.
  std::istringstream lines(text);
  std::string line[5];
  for (auto& it : line)
    if (!std::getline(lines, it) || lines.eof()) return std::nullopt;
  PostmasterFile file;
  const auto [end, error] = std::from_chars(line[0].data(), line[0].data() + line[0].size(), file.pid);
  if (error != std::errc() || *end != '\0' || file.pid <= 1) return std::nullopt;
  file.data = line[1];
  file.socket_dir = line[4];
  return file;
}

std::optional<Postmaster> Postmaster::adopt(ClusterFiles& files) {
  const auto file = parse_postmaster_file(read_file(files.data() / "postmaster.pid"));
  if (!file) return std::nullopt;
  auto pidfd = open_if_postgres(file->pid, files.data());
  if (!pidfd) return std::nullopt;
  Postmaster found(file->pid, std::move(pidfd));
  if (!fs::exists(fs::path(file->socket_dir) / ".s.PGSQL.5432")) {
    // Somebody cleaned the folder of its socket: nobody can reach it any more.
    found.stop();
    return std::nullopt;
  }
  files.use_socket_dir(file->socket_dir);
  return found;
}

void Postmaster::end_leftovers(const ClusterFiles& files) {
  std::vector<base::UniqueFd> leftovers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    if (auto pidfd = open_if_postgres(pid, files.data())) leftovers.push_back(std::move(pidfd));
  }
  for (const int signal : {SIGQUIT, SIGKILL}) {
    for (const auto& pidfd : leftovers) syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
    std::erase_if(leftovers, [](const base::UniqueFd& pidfd) { return wait_for_end(pidfd.get(), kLeftoverGrace); });
  }
}

Postmaster Postmaster::spawn(ClusterFiles& files) {
  const auto log = files.open_log();
  return Postmaster(process::spawn(files.server(log.get())));
}

std::string Postmaster::end() {
  if (!child_) return "an end nobody was told of";
  const auto exit = child_->try_wait();
  return exit ? exit->text() : "no end";
}

void Postmaster::stop() {
  for (const auto& [signal, limit] : {std::pair{SIGINT, std::chrono::seconds(10)},
                                      {SIGQUIT, std::chrono::seconds(5)},
                                      {SIGKILL, std::chrono::seconds(5)}}) {
    if (wait_for_end(pidfd(), base::Duration(0))) break;
    syscall(SYS_pidfd_send_signal, pidfd(), signal, nullptr, 0);
    // One that was frozen must go on to hear of it.
    syscall(SYS_pidfd_send_signal, pidfd(), SIGCONT, nullptr, 0);
    wait_for_end(pidfd(), limit);
  }
  if (child_) child_->try_wait();
}

}  // namespace godwit::store
