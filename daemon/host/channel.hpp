#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "base/unique_fd.hpp"
#include "host/lookout.hpp"
#include "wire/frame.hpp"

namespace godwit::host {

// The connection to godwitd: any thread writes frames, one I/O thread reads them. When the daemon goes away, so does
// this process.
class Channel {
 public:
  // When the bytes leave: at once by the calling thread, or a little later, gathered with others by the I/O thread.
  enum class Flush { now, soon };
  // What the outbox may hold before emit() waits and log() drops.
  static constexpr std::size_t kOutboxSizeMax = 8u * 1024 * 1024;

  explicit Channel(base::UniqueFd socket);

  // `append(std::string&)` adds frames to the outbox. [any thread]
  template <typename Append>
  void write(Append&& append, Flush flush) {
    std::unique_lock lock(mutex_);
    append(outbox_);
    finish_write(lock, flush);
  }
  // As write(), unless the outbox is full; returns whether it was written. [any thread]
  template <typename Append>
  bool write_if_room(Append&& append) {
    std::unique_lock lock(mutex_);
    if (outbox_.size() >= kOutboxSizeMax) return false;
    append(outbox_);
    finish_write(lock, Flush::soon);
    return true;
  }
  // Waits until the outbox has room or `stop()` is true, which is asked again after wake_waiters().
  void wait_for_room(const std::function<bool()>& stop);
  void wake_waiters();
  // Waits until everything that was written has left.
  void drain();

  // What follows a batch.
  enum class Next {
    leave,     // this thread is the I/O thread no longer
    wait,      // for more input
    answered,  // the same, with nothing left to do before it comes
  };
  // The I/O thread's body: `on_frame` for each frame, `on_batch` after those that arrived together, `on_tick` when
  // want_tick() said. Returns when on_batch says that this thread shall leave.
  struct Handlers {
    std::function<void(const wire::Frame&)> on_frame;
    std::function<Next()> on_batch;
    std::function<void()> on_tick;
  };
  void serve(const Handlers& handlers);
  // The descriptor that came with the frame that on_frame is called with; empty when none did. [I/O thread]
  base::UniqueFd take_fd();
  // Asks for one call of on_tick after this time, or earlier if an earlier one was asked for. [any thread]
  void want_tick(std::chrono::milliseconds after);

 private:
  void finish_write(std::unique_lock<std::mutex>& lock, Flush flush);
  void send_outbox(std::unique_lock<std::mutex>& lock);
  void send_all(const std::string& bytes);
  void wake();
  int timeout_ms() const;
  void wait_for_input();
  // Waits awake where that pays; whether input came.
  bool look_for_input();
  // Reads what is there; whether frames came.
  bool read_some(const Handlers& handlers);
  // As recv(), and keeps the descriptors that come along.
  ssize_t receive(char* data, std::size_t size);

  base::UniqueFd socket_;
  base::UniqueFd wake_fd_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::string outbox_;                  // under mutex_
  std::string in_transit_;              // only the sending thread
  bool sending_ = false;                // under mutex_: a thread is at it and will send what is added meanwhile
  bool io_awake_ = true;                // under mutex_: the I/O thread will look at the outbox before it sleeps
  std::atomic<std::int64_t> tick_due_;  // steady_clock, in its ticks
  Lookout lookout_;                     // only the I/O thread
  wire::FrameReader reader_;            // only the I/O thread
  std::deque<base::UniqueFd> fds_;      // only the I/O thread; in the order of their frames
};

}  // namespace godwit::host
