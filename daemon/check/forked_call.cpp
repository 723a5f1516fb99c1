#include "check/forked_call.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "base/json_text.hpp"
#include "base/unique_fd.hpp"

namespace godwit::check {
namespace {

namespace json = base::json;

constexpr int kTries = 20;
constexpr auto kCallTime = std::chrono::seconds(2);

void write_line(int fd, const json::object& fields) {
  const std::string line = base::serialize(fields) + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t written = ::write(fd, line.data() + done, line.size() - done);
    if (written < 0 && errno != EINTR) return;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

// The child: says each checkpoint, then the end.
[[noreturn]] void child(Session& session, const Target& target, const std::string& input, const ForkedPlan& plan,
                        int fd) {
  int put = 0;
  CallPlan call;
  call.checkpoints = plan.checkpoints;
  call.attempt = plan.attempt;
  call.time = kCallTime;
  call.on_checkpoint = [&](const std::string& key, const std::string& value) {
    write_line(fd, {{"key", key}, {"value", value}});
    if (++put == plan.kill_at) ::raise(SIGKILL);
  };
  try {
    const auto instance = session.open(target);
    const Ran ran = instance->run(target.method, input, std::move(call));
    write_line(fd, {{"status", ran.status}, {"output", ran.output.value_or("null")}, {"failure", ran.failure}});
  } catch (const base::Error& error) {
    write_line(fd, {{"status", GW_FAILED}, {"output", ""}, {"failure", error.what()}});
  }
  ::_exit(0);
}

void take_line(const std::string& line, ForkedCall& call, bool& ended) {
  const json::value fields = base::parse_json(line);
  if (const json::value* key = fields.as_object().if_contains("key")) {
    call.checkpoints[std::string(key->as_string())] = std::string(fields.at("value").as_string());
    return;
  }
  ended = true;
  call.status = fields.at("status").to_number<gw_status>();
  call.output = std::string(fields.at("output").as_string());
  call.failure = std::string(fields.at("failure").as_string());
}

}  // namespace

ForkedCall run_in_fork(Session& session, const Target& target, const std::string& input, const ForkedPlan& plan) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw base::Error(base::ErrorKind::failed, "no pipe can be made");
  const pid_t pid = ::fork();
  if (pid == 0) child(session, target, input, plan, fds[1]);
  ::close(fds[1]);
  const base::UniqueFd in(fds[0]);
  ForkedCall call;
  call.checkpoints = plan.checkpoints;
  std::string text;
  char piece[4096];
  ssize_t got = 0;
  while ((got = ::read(in.get(), piece, sizeof piece)) > 0 || (got < 0 && errno == EINTR))
    if (got > 0) text.append(piece, static_cast<std::size_t>(got));
  bool ended = false;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    take_line(text.substr(at, end - at), call, ended);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  call.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && plan.kill_at > 0;
  if (call.killed || ended) return call;
  if (WIFSIGNALED(status)) {
    call.end = std::string("died of signal ") + ::strsignal(WTERMSIG(status));
  } else {
    call.end = "ended its process with exit code " + std::to_string(WEXITSTATUS(status));
  }
  return call;
}

std::optional<std::string> good_input_in_fork(Session& session, const Target& target) {
  std::optional<std::string> good;
  for (int i = 0; i < kTries && session.time_left(); ++i) {
    const auto input = session.input(target);
    if (!input) return good;
    const ForkedCall call = run_in_fork(session, target, *input, {});
    if (call.status != GW_OK) continue;
    good = input;
    if (!call.checkpoints.empty()) return input;
  }
  return good;
}

}  // namespace godwit::check
