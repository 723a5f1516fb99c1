#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.hpp"
#include "host/call.hpp"
#include "host/channel.hpp"
#include "host/plugin_library.hpp"
#include "host/reader_seat.hpp"
#include "process/sandbox.hpp"

namespace godwit::host {

// The life of a host process: load the plugin, open its units, run calls until the daemon says bye. The thread of
// serve() opens, closes and runs calls; more workers start as they are needed. One thread reads the socket; while calls
// are short and nobody else is at work, it runs them itself.
class Server {
 public:
  // `sandbox` is what the process was confined to, for the daemon to know.
  Server(std::string plugin_path, base::UniqueFd socket, process::SandboxReport sandbox);
  // Returns the exit code.
  int serve();

 private:
  struct OpenRequest {
    base::json::array units;
    base::json::object config;
    std::vector<std::string> extensions;
    std::size_t concurrency = 1;
  };

  void on_frame(const wire::Frame& frame);
  Channel::Next on_batch();
  void on_tick();
  void on_open(const wire::Frame& frame);
  void on_reply(const wire::Frame& frame);
  gw_call* find_call(std::uint64_t number);

  // Loads and opens; sends the outcome.
  bool open_plugin(const OpenRequest& request);
  void read_socket();
  void start_stand_in();
  void queue_arrived();
  void work();
  // What the reading thread does of the queue itself.
  Channel::Next work_beside_reading(std::unique_lock<std::mutex>& lock);
  void run_next(std::unique_lock<std::mutex>& lock);
  gw_status run(gw_call& call) const;
  // Starts or wakes one more worker when calls wait for one. While calls are short, and `stalled` does not say
  // otherwise, a worker that is awake is trusted to come back for them: waking a thread costs more than such a call.
  void call_for_help(bool stalled = false);
  void finish(gw_call& call, gw_status status, bool others_wait);

  std::string plugin_path_;
  process::SandboxReport sandbox_;
  Channel channel_;
  std::optional<PluginLibrary> plugin_;
  ReaderSeat seat_;
  std::vector<std::unique_ptr<gw_call>> arrived_;  // only the reading thread

  std::mutex mutex_;  // for all that follows
  std::condition_variable changed_;
  std::optional<OpenRequest> open_request_;
  bool opened_ = false;
  bool bye_ = false;
  std::unordered_map<std::uint64_t, std::unique_ptr<gw_call>> calls_;
  std::deque<gw_call*> queue_;
  std::vector<std::thread> workers_;  // beside the thread of serve()
  std::size_t concurrency_ = 1;
  std::size_t idle_ = 0;
  std::size_t running_ = 0;                // calls in the plugin
  bool help_is_coming_ = false;            // a worker was woken or started and has not yet arrived
  std::chrono::nanoseconds typical_call_;  // how long calls take, the last ones counting most
  std::uint64_t watched_call_ = 0;         // the first of the queue at the last look, 0 for none
};

}  // namespace godwit::host
