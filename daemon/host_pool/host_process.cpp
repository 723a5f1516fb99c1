#include "host_pool/host_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace godwit::host_pool {
namespace {

namespace asio = boost::asio;
using Watch = asio::posix::stream_descriptor;

base::Error system_error(const char* what) {
  return base::Error(base::ErrorKind::failed,
                     std::string("cannot start a host process: ") + what + ": " + std::strerror(errno));
}

struct Pair {
  base::UniqueFd ours;
  base::UniqueFd theirs;
};

Pair make_socket() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw system_error("socketpair");
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

Pair make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw system_error("pipe");
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);  // our end only: a plugin's printf() shall wait, not fail
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

int copy_of(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw system_error("dup");
  return copy;
}

}  // namespace

std::shared_ptr<HostProcess> HostProcess::start(asio::io_context& context, Launch launch, Events& events) {
  Pair socket = make_socket();
  Pair out = make_pipe();
  Pair err = make_pipe();
  process::SpawnOptions options;
  options.program = launch.program;
  options.arguments = launch.arguments;
  options.environment = launch.environment;
  options.directory = std::string(1, '/');  // assigning "/" trips a false warning of g++ 12
  options.fds = {-1, out.theirs.get(), err.theirs.get(), socket.theirs.get()};
  if (launch.cgroup) options.cgroup = launch.cgroup->procs_fd();
  if (launch.extra_fd >= 0) options.fds.push_back(launch.extra_fd);
  process::Child child = process::spawn(options);
  std::shared_ptr<HostProcess> process(new HostProcess(context, events, std::move(launch.cgroup), std::move(child),
                                                       std::move(socket.ours), std::move(out.ours),
                                                       std::move(err.ours)));
  process->wait_for_frames();
  process->wait_for_output(process->stdout_);
  process->wait_for_output(process->stderr_);
  process->wait_for_end();
  return process;
}

HostProcess::HostProcess(asio::io_context& context, Events& events, std::optional<process::Cgroup> cgroup,
                         process::Child child, base::UniqueFd socket, base::UniqueFd out, base::UniqueFd err)
    : context_(context),
      events_(&events),
      cgroup_(std::move(cgroup)),
      child_(std::move(child)),
      socket_(context, socket.release()),
      end_watch_(context, copy_of(child_.pidfd())),
      stdout_{{}, Watch(context, out.release()), "stdout"},
      stderr_{{}, Watch(context, err.release()), "stderr"} {}

void HostProcess::detach() {
  events_ = nullptr;
  socket_.close();
  end_watch_.close();
  stdout_.descriptor.close();
  stderr_.descriptor.close();
}

void HostProcess::flush_soon() {
  if (flush_pending_ || broken_) return;
  flush_pending_ = true;
  asio::post(context_, [self = shared_from_this()] { self->flush(); });
}

// Sends up to the place of the next descriptor: it arrives with the byte that it was sent with.
ssize_t HostProcess::send_some() {
  const bool with_fd = !fds_.empty() && fds_.front().first == sent_;
  const std::size_t next = with_fd ? 1 : 0;
  const std::size_t end = fds_.size() > next ? fds_[next].first : outbox_.size();
  iovec part{outbox_.data() + sent_, end - sent_};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (with_fd) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = fds_.front().second.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0 && with_fd) fds_.pop_front();
  return sent;
}

void HostProcess::flush() {
  flush_pending_ = false;
  if (!events_ || broken_) return;
  while (sent_ < outbox_.size()) {
    const ssize_t sent = send_some();
    if (sent >= 0) {
      sent_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      flush_pending_ = true;
      socket_.async_wait(Watch::wait_write,
                         [self = shared_from_this()](const boost::system::error_code&) { self->flush(); });
      return;
    } else if (errno != EINTR) {
      return;  // the reading side sees the end of the connection and says so
    }
  }
  sent_ = 0;
  outbox_.clear();
  if (outbox_.capacity() > 1024 * 1024) outbox_.shrink_to_fit();
}

void HostProcess::wait_for_frames() {
  socket_.async_wait(Watch::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
    if (error || !self->events_ || self->broken_) return;
    self->read_frames();
    if (self->events_ && !self->broken_) self->wait_for_frames();
  });
}

bool HostProcess::read_frames() {
  const wire::FrameReader::Space space = reader_.space(64 * 1024);
  const ssize_t got = ::recv(socket_.native_handle(), space.data, space.size, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    broken_ = true;
    if (events_) events_->on_closed();
    return false;
  }
  reader_.filled(static_cast<std::size_t>(got));
  catch_up_output();
  try {
    while (events_ && !broken_) {
      const auto frame = reader_.next();
      if (!frame) return true;
      events_->on_frame(*frame);
    }
  } catch (const base::Error& error) {
    broken(std::string("it broke the protocol: ") + error.what());
  }
  return false;
}

void HostProcess::broken(const std::string& why) {
  broken_ = true;
  if (events_) events_->on_broken(why);
}

void HostProcess::catch_up_output() {
  pollfd fds[] = {{stdout_.open ? stdout_.descriptor.native_handle() : -1, POLLIN, 0},
                  {stderr_.open ? stderr_.descriptor.native_handle() : -1, POLLIN, 0}};
  if (::poll(fds, 2, 0) <= 0) return;
  if (fds[0].revents != 0) read_output(stdout_);
  if (fds[1].revents != 0) read_output(stderr_);
}

void HostProcess::wait_for_output(Output& output) {
  output.descriptor.async_wait(Watch::wait_read,
                               [self = shared_from_this(), &output](const boost::system::error_code& error) {
                                 if (error || !self->events_ || !output.open) return;
                                 self->read_output(output);
                                 if (self->events_ && output.open) self->wait_for_output(output);
                               });
}

void HostProcess::read_output(Output& output) {
  output.open = output.pipe.read(output.descriptor.native_handle(), [this, &output](std::string_view line) {
    if (events_) events_->on_line(line, output.name);
  });
}

void HostProcess::flush_output() {
  for (Output* output : {&stdout_, &stderr_}) {
    output->pipe.flush([this, output](std::string_view line) {
      if (events_) events_->on_line(line, output->name);
    });
  }
}

void HostProcess::wait_for_end() {
  end_watch_.async_wait(Watch::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && self->events_) self->ended();
  });
}

void HostProcess::ended() {
  // Its children may still be there; the group's number is ours until the reaping below.
  child_.signal_group(SIGKILL);
  if (cgroup_) cgroup_->kill();
  while (!broken_ && read_frames()) {
    // Results that it sent before its end count.
  }
  catch_up_output();
  flush_output();
  const auto exit = child_.try_wait();
  if (exit && events_) events_->on_ended(*exit);
}

}  // namespace godwit::host_pool
