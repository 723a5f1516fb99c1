#include "host_pool/script_reader.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "wire/script_messages.hpp"

namespace godwit::host_pool {
namespace {

namespace json = base::json;
using wire::ScriptMessage;

constexpr auto kReadMax = std::chrono::seconds(5);

base::Error no_host(const std::string& what) {
  return base::Error(base::ErrorKind::failed, "the script cannot be read: " + what);
}

[[noreturn]] void throw_problems(const std::string& text) {
  std::vector<base::Error::Problem> problems;
  const json::value list = base::parse_json(text);
  for (const auto& entry : list.as_array()) {
    base::Error::Problem problem;
    problem.what = entry.at("what").as_string();
    problem.place.file = entry.at("file").as_string();
    problem.place.line = entry.at("line").to_number<int>();
    problem.hint = entry.at("hint").as_string();
    problems.push_back(std::move(problem));
  }
  throw base::Error(base::ErrorKind::refused, std::move(problems));
}

}  // namespace

void ScriptReader::start() {
  if (child_ && !child_->try_wait()) return;
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw no_host(std::strerror(errno));
  socket_ = base::UniqueFd(fds[0]);
  const base::UniqueFd theirs(fds[1]);
  process::SpawnOptions options;
  options.program = program_;
  options.arguments = {"--scripts"};
  options.directory = std::string(1, '/');
  options.fds = {-1, -1, -1, theirs.get()};
  child_.emplace(process::spawn(options));
  frames_ = wire::FrameReader();
}

void ScriptReader::send(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw no_host(std::strerror(errno));
    sent += static_cast<std::size_t>(count);
  }
}

std::string ScriptReader::ask(const std::string& request, bool& refused) {
  start();
  send(request);
  const auto deadline = base::tick() + kReadMax;
  while (true) {
    while (const auto frame = frames_.next()) {
      const auto type = static_cast<ScriptMessage>(frame->type);
      if (frame->call != last_) continue;
      if (type == ScriptMessage::guilty && frame->blob_count == 2) {
        child_.reset();
        throw base::refused(std::string(frame->blobs[1]));
      }
      if (type != ScriptMessage::header || frame->blob_count != 1) continue;
      refused = frame->flags != 0;
      return std::string(frame->blobs[0]);
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - base::tick()).count();
    pollfd wait{socket_.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) == 0) {
      child_.reset();
      throw no_host("its host did not answer within " + base::format_duration(kReadMax));
    }
    const auto space = frames_.space(64 * 1024);
    const ssize_t got = ::recv(socket_.get(), space.data, space.size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      child_.reset();
      throw no_host("its host ended");
    }
    frames_.filled(static_cast<std::size_t>(got));
  }
}

json::object ScriptReader::read(const model::ScriptBundle& bundle) {
  std::string request;
  wire::append_message(request, ScriptMessage::read, ++last_, 0, 0, {bundle.to_text()});
  bool refused = false;
  const std::string answer = ask(request, refused);
  if (refused) throw_problems(answer);
  return base::parse_json(answer).as_object();
}

}  // namespace godwit::host_pool
