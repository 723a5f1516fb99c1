#pragma once
#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "host_pool/output_pipe.hpp"
#include "process/cgroup.hpp"
#include "process/child.hpp"
#include "wire/frame.hpp"
#include "wire/host_messages.hpp"

namespace godwit::host_pool {

// One process of godwit-host: its socket, its output and its end. Used on the engine's thread. Pending operations keep
// it alive; after detach() it says nothing more. Destruction kills the process group.
class HostProcess : public std::enable_shared_from_this<HostProcess> {
 public:
  class Events {
   public:
    virtual ~Events() = default;
    virtual void on_frame(const wire::Frame& frame) = 0;
    virtual void on_line(std::string_view line, std::string_view stream) = 0;
    // The connection makes no sense; the process may still live.
    virtual void on_broken(const std::string& why) = 0;
    // The other side closed the connection: the process is about to end, or the plugin has closed what is not its own.
    virtual void on_closed() = 0;
    // The process is gone and reaped, all its output was given to on_line().
    virtual void on_ended(const process::Exit& exit) = 0;
  };

  struct Launch {
    std::string program;
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    int extra_fd = -1;  // becomes descriptor kExtraFd of the process
    std::optional<process::Cgroup> cgroup;
  };
  static constexpr int kExtraFd = wire::kHostProtocolFd + 1;
  static constexpr std::size_t kUnreadMax = 256u << 20;
  static constexpr std::size_t kUnreadFdsMax = 256;
  // Throws base::Error when the process cannot be started.
  static std::shared_ptr<HostProcess> start(boost::asio::io_context& context, Launch launch, Events& events);

  // `append(std::string&)` adds frames; they leave with the next turn of the loop, together with others.
  template <typename Append>
  void write(Append&& append) {
    append(outbox_);
    flush_soon();
  }
  // The same with one frame and a descriptor that travels beside its first byte.
  template <typename Append>
  void write_fd(Append&& append, base::UniqueFd fd) {
    fds_.push_back({outbox_.size(), std::move(fd)});
    append(outbox_);
    flush_soon();
  }
  // Whether it has left so much unread that nothing more should be written for its asking.
  bool behind() const { return outbox_.size() - sent_ > kUnreadMax || fds_.size() > kUnreadFdsMax; }
  // SIGKILL to the process and its group; on_ended() follows.
  void kill() { child_.signal_group(SIGKILL); }
  // What was printed without a newline so far, as lines.
  void flush_output();
  void detach();

  pid_t pid() const { return child_.pid(); }
  // Whether the kernel has killed some of it for want of memory; only known in a control group.
  bool out_of_memory() const { return cgroup_ && cgroup_->oom_kills() > 0; }
  std::string last_stderr(std::size_t size) const { return stderr_.pipe.last_lines(size); }

 private:
  struct Output {
    OutputPipe pipe;
    boost::asio::posix::stream_descriptor descriptor;
    std::string_view name;
    bool open = true;
  };

  HostProcess(boost::asio::io_context& context, Events& events, std::optional<process::Cgroup> cgroup,
              process::Child child, base::UniqueFd socket, base::UniqueFd out, base::UniqueFd err);

  void flush_soon();
  void flush();
  ssize_t send_some();
  void wait_for_frames();
  // Handles what is there; false when there is nothing more now or ever.
  bool read_frames();
  void wait_for_output(Output& output);
  void read_output(Output& output);
  // What the process printed before it sent the frames that are to be handled.
  void catch_up_output();
  void wait_for_end();
  void ended();
  void broken(const std::string& why);

  boost::asio::io_context& context_;
  Events* events_;
  std::optional<process::Cgroup> cgroup_;
  process::Child child_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::posix::stream_descriptor end_watch_;  // on a copy of the child's pidfd
  Output stdout_;
  Output stderr_;
  wire::FrameReader reader_;
  std::string outbox_;
  std::size_t sent_ = 0;                                    // bytes of the outbox that have left
  std::deque<std::pair<std::size_t, base::UniqueFd>> fds_;  // each with its place in the outbox
  bool flush_pending_ = false;
  bool broken_ = false;
};

}  // namespace godwit::host_pool
