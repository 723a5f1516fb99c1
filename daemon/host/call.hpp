#pragma once
#include <godwit/ext/limits.h>
#include <godwit/plugin.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "host/channel.hpp"
#include "wire/host_messages.hpp"

// Bytes of the host that a plugin looks at.
struct gw_buf {
  gw_call* call = nullptr;
  std::string bytes;
  bool secret = false;  // to be wiped
  std::list<gw_buf>::iterator self;

  gw_buf() = default;
  gw_buf(const gw_buf&) = delete;
  ~gw_buf();
};

// One call of a plugin's function, and what the plugin does during it. The functions that plugin.h tags [any] may come
// from any thread, answer() and cancel() come from the I/O thread, the others from the thread of run().
struct gw_call {
 public:
  // A call of run().
  gw_call(godwit::host::Channel& channel, const godwit::wire::CallMessage& message);
  // A call of open(), or of godwit_plugin_v1(): there is a log and a failure, nothing else.
  explicit gw_call(godwit::host::Channel& channel);
  gw_call(const gw_call&) = delete;
  gw_call& operator=(const gw_call&) = delete;

  std::uint64_t number() const { return number_; }
  int attempt() const { return attempt_; }
  std::int64_t deadline_ns() const { return deadline_ns_; }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  std::string_view unit() const { return part(0); }
  std::string_view method() const { return part(1); }
  std::string_view idempotency_key() const { return part(2); }
  std::string_view input() const { return part(3); }

  void log(std::int32_t level, std::string_view text, std::string_view fields);
  void progress(std::uint64_t done, std::uint64_t total, std::string_view fields);
  void fail(std::string_view code, std::string_view text, std::int64_t retry_after_ms);
  gw_status output(std::string_view json);
  gw_status emit(std::string_view topic, std::string_view row);
  gw_status checkpoint_put(std::string_view key, std::string_view value);
  gw_status checkpoint_get(std::string_view key, gw_buf** value);
  gw_status invoke(std::string_view callable, std::string_view args, std::string_view key_suffix, gw_buf** result);
  gw_status http_request(std::string_view request, std::string_view body, gw_buf** response, gw_buf** response_body);
  gw_status limits_cost(std::string_view limit, std::int64_t tokens);
  gw_status limits_quota(std::string_view limit, const gw_quota* quota);
  gw_status secret_get(std::string_view name, gw_buf** value);
  gw_status artifact_create(std::string_view name, std::string_view media_type, std::int32_t* fd);
  gw_status artifact_commit(std::int32_t fd, gw_buf** reference);
  gw_status artifact_open(std::string_view name, std::int32_t* fd);
  void release(gw_buf* buffer);

  // What the daemon said to a question. `body` and `fd` are of the extensions.
  struct Reply {
    godwit::wire::HostStatus status = godwit::wire::HostStatus::failed;
    std::string value;
    std::string body;
    godwit::base::UniqueFd fd;
  };
  void answer(std::uint32_t question, Reply reply);
  void cancel();
  // Passes on a progress that was held back.
  void send_held_progress();

  // The last message of the call, by what run() returned. `out` is the outbox.
  void append_result(std::string& out, gw_status status);
  // What fail() said, for calls without a result: "code: text".
  std::string failure_text() const;

 private:
  struct HeldProgress {
    std::uint64_t done;
    std::uint64_t total;
    std::string fields;
  };

  std::string_view part(std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(text_).substr(begin, ends_[index] - begin);
  }
  bool running() const { return number_ != 0; }
  // Sends a question and waits for its reply or the cancellation; the reply is left empty with the latter.
  gw_status ask(godwit::wire::HostMessage type, std::initializer_list<std::string_view> blobs, Reply& reply);
  // The same for questions whose answer is one text, empty for none.
  gw_status ask_text(godwit::wire::HostMessage type, std::initializer_list<std::string_view> blobs, gw_buf** value);
  gw_buf* new_buffer(std::string bytes);

  godwit::host::Channel& channel_;
  std::uint64_t number_ = 0;
  int attempt_ = 0;
  std::int64_t deadline_ns_ = godwit::wire::kNoDeadline;
  std::string text_;  // unit, method, idempotency key and input, one after the other
  std::size_t ends_[4] = {0, 0, 0, 0};
  std::atomic<bool> cancelled_ = false;

  std::string output_ = "null";
  bool has_output_ = false;
  std::string bad_output_;  // why the output is no JSON
  std::string failure_code_;
  std::string failure_text_;
  std::int64_t retry_after_ms_ = -1;
  std::size_t emitted_size_ = 0;
  std::map<std::int32_t, std::string>
      artifacts_;  // descriptors of create() that were not committed, with their handles

  std::mutex mutex_;  // for all that follows
  std::condition_variable answered_;
  std::uint32_t question_ = 0;  // the number of the last one
  std::optional<Reply> reply_;
  std::list<gw_buf> buffers_;
  std::chrono::steady_clock::time_point last_progress_{};
  std::optional<HeldProgress> held_progress_;
  std::uint64_t dropped_log_lines_ = 0;
};
