#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/heap_trim.hpp"
#include "base/unique_fd.hpp"
#include "host/channel.hpp"
#include "script/execution.hpp"
#include "wire/script_messages.hpp"

namespace godwit::host {

// The life of a host process of scripts: many runs, one after the other on one thread; one thread reads the socket, and
// one watches that the script which is running comes to its end. A script that does not, because it is inside of a C
// function where no budget reaches it, costs the process: its name is told first, and the others come back by replay
// elsewhere.
class ScriptServer {
 public:
  explicit ScriptServer(base::UniqueFd socket);
  // Never returns but by the end of the process.
  [[noreturn]] void serve();

 private:
  struct Message {
    wire::ScriptMessage type;
    std::uint64_t machine = 0;
    std::uint32_t tag = 0;
    std::vector<std::string> blobs;
  };
  struct Machine {
    model::script::Budget budget;
    model::ScriptBundle bundle;
    model::script::RunFacts facts;
    std::vector<model::script::RecordedStep> recorded;
    std::unique_ptr<script::Execution> execution;
  };

  void on_frame(const wire::Frame& frame);
  void handle(const Message& message);
  void read(const Message& message);
  void open(const Message& message);
  void go(std::uint64_t number, Machine& machine);
  void send(std::uint64_t number, Machine& machine);
  void forget(std::uint64_t number);
  void end_with_failure(std::uint64_t number, model::Failure failure);
  void watch();
  void give_up(const std::string& trace);

  Channel channel_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> queue_;                                             // under the mutex
  std::unordered_map<std::uint64_t, std::unique_ptr<Machine>> machines_;  // only the script thread
  base::HeapTrim heap_;  // likewise
  std::atomic<std::uint64_t> running_{0};                                 // the machine that is at work
  std::atomic<bool> busy_{false};
  std::atomic<std::int64_t> allowed_ns_{0};  // its CPU budget
  pthread_t script_thread_{};
};

}  // namespace godwit::host
