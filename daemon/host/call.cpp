#include "host/call.hpp"

#include <unistd.h>

#include <cstring>

#include "base/json.hpp"
#include "base/utf8.hpp"

namespace wire = godwit::wire;
using godwit::base::is_json;
using godwit::base::is_utf8;
using godwit::host::Channel;
using wire::HostMessage;
using wire::HostStatus;

namespace {

static_assert(GW_OK == static_cast<int>(HostStatus::ok) && GW_RETRY == static_cast<int>(HostStatus::retry) &&
              GW_FAILED == static_cast<int>(HostStatus::failed) &&
              GW_CANCELLED == static_cast<int>(HostStatus::cancelled) &&
              GW_NOT_FOUND == static_cast<int>(HostStatus::not_found) &&
              GW_DENIED == static_cast<int>(HostStatus::denied) &&
              GW_TOO_BIG == static_cast<int>(HostStatus::too_big) &&
              GW_UNSUPPORTED == static_cast<int>(HostStatus::unsupported) &&
              GW_INVALID == static_cast<int>(HostStatus::invalid));
static_assert(GW_PAYLOAD_MAX == wire::kPayloadSizeMax);
static_assert(INT64_MAX == wire::kNoDeadline);

constexpr auto kProgressPause = std::chrono::milliseconds(100);
constexpr std::size_t kNameSizeMax = 1024;
constexpr std::size_t kLogTextSizeMax = 64 * 1024;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameSizeMax && is_utf8(text);
}

}  // namespace

gw_buf::~gw_buf() {
  if (secret) ::explicit_bzero(bytes.data(), bytes.size());
}

gw_call::gw_call(Channel& channel) : channel_(channel) {}

gw_call::gw_call(Channel& channel, const wire::CallMessage& message)
    : channel_(channel),
      number_(message.call),
      attempt_(static_cast<int>(message.attempt)),
      deadline_ns_(message.deadline_ns) {
  text_.reserve(message.unit.size() + message.method.size() + message.idempotency_key.size() + message.input.size());
  std::size_t i = 0;
  for (const std::string_view part : {message.unit, message.method, message.idempotency_key, message.input}) {
    text_ += part;
    ends_[i++] = text_.size();
  }
}

void gw_call::log(std::int32_t level, std::string_view text, std::string_view fields) {
  const auto flags = static_cast<std::uint8_t>(level < GW_LOG_DEBUG   ? GW_LOG_DEBUG
                                               : level > GW_LOG_ERROR ? GW_LOG_ERROR
                                                                      : level);
  text = text.substr(0, kLogTextSizeMax);
  if (fields.size() > kLogTextSizeMax) fields = {};
  const std::lock_guard lock(mutex_);
  const std::uint64_t dropped = dropped_log_lines_;
  const bool written = channel_.write_if_room([&](std::string& out) {
    if (dropped > 0) {
      const std::string note = std::to_string(dropped) + " log lines were dropped because the daemon was behind";
      wire::append_message(out, HostMessage::log, number_, 0, GW_LOG_WARNING, {note, {}});
    }
    wire::append_message(out, HostMessage::log, number_, 0, flags, {text, fields});
  });
  dropped_log_lines_ = written ? 0 : dropped + 1;
}

void gw_call::progress(std::uint64_t done, std::uint64_t total, std::string_view fields) {
  if (!running()) return;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (fields.size() > kLogTextSizeMax) fields = {};
  if (now - last_progress_ < kProgressPause) {
    held_progress_ = HeldProgress{done, total, std::string(fields)};
    channel_.want_tick(kProgressPause);
    return;
  }
  last_progress_ = now;
  held_progress_.reset();
  channel_.write([&](std::string& out) { wire::append_progress(out, number_, done, total, fields); },
                 Channel::Flush::soon);
}

void gw_call::send_held_progress() {
  const std::lock_guard lock(mutex_);
  if (!held_progress_) return;
  last_progress_ = std::chrono::steady_clock::now();
  channel_.write(
      [&](std::string& out) {
        wire::append_progress(out, number_, held_progress_->done, held_progress_->total, held_progress_->fields);
      },
      Channel::Flush::soon);
  held_progress_.reset();
}

void gw_call::fail(std::string_view code, std::string_view text, std::int64_t retry_after_ms) {
  failure_code_ = code.substr(0, kNameSizeMax);
  failure_text_ = text.substr(0, kLogTextSizeMax);
  retry_after_ms_ = retry_after_ms;
}

gw_status gw_call::output(std::string_view json) {
  if (!running()) return GW_UNSUPPORTED;
  if (json.size() > wire::kPayloadSizeMax) return GW_TOO_BIG;
  if (has_output_) return GW_INVALID;
  if (!is_json(json, &bad_output_)) return GW_INVALID;
  output_.assign(json);
  has_output_ = true;
  return GW_OK;
}

gw_status gw_call::emit(std::string_view topic, std::string_view row) {
  if (!running()) return GW_UNSUPPORTED;
  if (!is_name(topic)) return GW_INVALID;
  // Before a byte of it is read.
  if (row.size() > wire::kPayloadSizeMax) return GW_TOO_BIG;
  if (!is_json(row)) return GW_INVALID;
  const std::size_t size = wire::emitted_size(topic, row);
  if (emitted_size_ + size > wire::kPayloadSizeMax) return GW_TOO_BIG;
  emitted_size_ += size;
  channel_.wait_for_room([this] { return cancelled(); });
  if (cancelled()) return GW_CANCELLED;
  channel_.write(
      [&](std::string& out) {
        wire::append_message(out, HostMessage::emit, number_, 0, 0, {topic, row});
      },
      Channel::Flush::soon);
  return GW_OK;
}

gw_status gw_call::checkpoint_put(std::string_view key, std::string_view value) {
  if (!is_name(key)) return GW_INVALID;
  if (value.size() > wire::kPayloadSizeMax) return GW_TOO_BIG;
  if (!is_json(value)) return GW_INVALID;
  return ask_text(HostMessage::checkpoint_put, {key, value}, nullptr);
}

gw_status gw_call::checkpoint_get(std::string_view key, gw_buf** value) {
  *value = nullptr;
  if (!is_name(key)) return GW_INVALID;
  return ask_text(HostMessage::checkpoint_get, {key}, value);
}

gw_status gw_call::invoke(std::string_view callable, std::string_view args, std::string_view key_suffix,
                          gw_buf** result) {
  *result = nullptr;
  if (!is_name(callable) || (!key_suffix.empty() && !is_name(key_suffix))) return GW_INVALID;
  if (args.size() > wire::kPayloadSizeMax) return GW_TOO_BIG;
  if (!is_json(args)) return GW_INVALID;
  return ask_text(HostMessage::invoke, {callable, args, key_suffix}, result);
}

gw_status gw_call::http_request(std::string_view request, std::string_view body, gw_buf** response,
                                gw_buf** response_body) {
  *response = *response_body = nullptr;
  if (request.size() > kLogTextSizeMax || !is_json(request)) return GW_INVALID;
  if (body.size() > wire::kPayloadSizeMax) return GW_TOO_BIG;
  Reply reply;
  const gw_status status = ask(HostMessage::http_request, {request, body}, reply);
  const std::lock_guard lock(mutex_);
  if (!reply.value.empty()) *response = new_buffer(std::move(reply.value));
  if (status == GW_OK) *response_body = new_buffer(std::move(reply.body));
  return status;
}

gw_status gw_call::secret_get(std::string_view name, gw_buf** value) {
  *value = nullptr;
  if (!is_name(name)) return GW_INVALID;
  Reply reply;
  const gw_status status = ask(HostMessage::secret_get, {name}, reply);
  if (status == GW_OK) {
    const std::lock_guard lock(mutex_);
    *value = new_buffer(reply.value);
    (*value)->secret = true;
  }
  ::explicit_bzero(reply.value.data(), reply.value.size());
  return status;
}

gw_status gw_call::limits_cost(std::string_view limit, std::int64_t tokens) {
  if (!running()) return GW_UNSUPPORTED;
  if (tokens < 0 || !is_name(limit)) return GW_INVALID;
  channel_.write_if_room([&](std::string& out) { wire::append_cost(out, number_, {limit, tokens}); });
  return GW_OK;
}

gw_status gw_call::limits_quota(std::string_view limit, const gw_quota* quota) {
  if (!running()) return GW_UNSUPPORTED;
  if (!quota || quota->remaining < 0 || quota->reset_ms < 0 || (!limit.empty() && !is_name(limit))) return GW_INVALID;
  channel_.write_if_room([&](std::string& out) {
    wire::append_quota(out, number_, {limit, quota->remaining, quota->reset_ms, quota->limit});
  });
  return GW_OK;
}

gw_status gw_call::artifact_create(std::string_view name, std::string_view media_type, std::int32_t* fd) {
  *fd = -1;
  if (!is_name(name) || name.size() > 255 || name.find_first_of(std::string_view("/\0", 2)) != name.npos)
    return GW_INVALID;
  if (media_type.size() > 255 || !is_utf8(media_type)) return GW_INVALID;
  Reply reply;
  const gw_status status = ask(HostMessage::artifact_create, {name, media_type}, reply);
  if (status != GW_OK) return status;
  *fd = reply.fd.release();
  artifacts_[*fd] = reply.value;
  return *fd < 0 ? GW_FAILED : GW_OK;
}

gw_status gw_call::artifact_commit(std::int32_t fd, gw_buf** reference) {
  *reference = nullptr;
  const auto known = artifacts_.find(fd);
  if (known == artifacts_.end()) return GW_INVALID;
  const std::string handle = std::move(known->second);
  artifacts_.erase(known);
  ::close(fd);
  return ask_text(HostMessage::artifact_commit, {handle}, reference);
}

gw_status gw_call::artifact_open(std::string_view name, std::int32_t* fd) {
  *fd = -1;
  if (!is_name(name)) return GW_INVALID;
  Reply reply;
  const gw_status status = ask(HostMessage::artifact_open, {name}, reply);
  if (status != GW_OK) return status;
  *fd = reply.fd.release();
  return *fd < 0 ? GW_FAILED : GW_OK;
}

gw_status gw_call::ask(HostMessage type, std::initializer_list<std::string_view> blobs, Reply& reply) {
  if (!running()) return GW_UNSUPPORTED;
  std::unique_lock lock(mutex_);
  if (cancelled()) return GW_CANCELLED;
  const std::uint32_t question = ++question_;
  reply_.reset();
  lock.unlock();
  channel_.write([&](std::string& out) { wire::append_message(out, type, number_, question, 0, blobs); },
                 Channel::Flush::now);
  lock.lock();
  answered_.wait(lock, [this] { return reply_ || cancelled(); });
  // An answer that is there counts, even when the wish to cancel came with it.
  if (!reply_) return GW_CANCELLED;
  reply = std::move(*reply_);
  reply_.reset();
  return static_cast<gw_status>(reply.status);
}

gw_status gw_call::ask_text(HostMessage type, std::initializer_list<std::string_view> blobs, gw_buf** value) {
  Reply reply;
  const gw_status status = ask(type, blobs, reply);
  if (value && (status == GW_OK || !reply.value.empty())) {
    const std::lock_guard lock(mutex_);
    *value = new_buffer(std::move(reply.value));
  }
  return status;
}

void gw_call::answer(std::uint32_t question, Reply reply) {
  const std::lock_guard lock(mutex_);
  if (question != question_) return;  // the plugin gave up waiting when it was cancelled
  reply_ = std::move(reply);
  answered_.notify_all();
}

void gw_call::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.store(true, std::memory_order_relaxed);
    answered_.notify_all();
  }
  channel_.wake_waiters();
}

gw_buf* gw_call::new_buffer(std::string bytes) {
  buffers_.emplace_back();
  gw_buf& buffer = buffers_.back();
  buffer.call = this;
  buffer.bytes = std::move(bytes);
  buffer.self = std::prev(buffers_.end());
  return &buffer;
}

void gw_call::release(gw_buf* buffer) {
  const std::lock_guard lock(mutex_);
  buffers_.erase(buffer->self);
}

std::string gw_call::failure_text() const {
  if (failure_text_.empty() && failure_code_.empty()) return "the plugin gave no reason";
  return failure_code_ + ": " + failure_text_;
}

void gw_call::append_result(std::string& out, gw_status status) {
  if (held_progress_)
    wire::append_progress(out, number_, held_progress_->done, held_progress_->total, held_progress_->fields);
  wire::ResultMessage message;
  message.call = number_;
  message.status = wire::to_host_status(status);
  if (!bad_output_.empty()) {
    message.status = HostStatus::failed;
    failure_code_ = "bad_output";
    failure_text_ = "the plugin's result is not JSON: " + bad_output_;
  }
  if (message.status == HostStatus::ok) {
    message.output = output_;
  } else {
    if (message.status != HostStatus::retry && message.status != HostStatus::cancelled) {
      // What is left (not_found, denied, ...) is a permanent failure whose name is the code when the plugin gave none.
      if (failure_code_.empty()) failure_code_ = wire::name(message.status);
      message.status = HostStatus::failed;
    }
    if (failure_code_.empty()) failure_code_ = "failed";
    if (failure_text_.empty()) failure_text_ = "the plugin gave no reason";
    message.code = failure_code_;
    message.message = failure_text_;
    message.retry_after_ms = retry_after_ms_;
  }
  wire::append(out, message);
}
