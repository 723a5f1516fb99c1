#include "wire/host_messages.hpp"

#include <array>
#include <cstring>

#include "base/error.hpp"

namespace godwit::wire {
namespace {

constexpr std::array<std::string_view, 25> kMessageNames{"?",
                                                         "hello",
                                                         "open",
                                                         "opened",
                                                         "call",
                                                         "result",
                                                         "log",
                                                         "progress",
                                                         "emit",
                                                         "checkpoint_put",
                                                         "checkpoint_get",
                                                         "invoke",
                                                         "reply",
                                                         "cancel",
                                                         "ping",
                                                         "pong",
                                                         "bye",
                                                         "http_request",
                                                         "secret_get",
                                                         "artifact_create",
                                                         "artifact_commit",
                                                         "artifact_open",
                                                         "reply_fd",
                                                         "limits_cost",
                                                         "limits_quota"};
constexpr std::array<std::string_view, 9> kStatusNames{"ok",     "retry",   "failed",      "cancelled", "not_found",
                                                       "denied", "too_big", "unsupported", "invalid"};

// A number as the bytes of a blob.
template <typename Number>
std::string_view bytes_of(const Number& number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

template <typename Number>
Number number_of(std::string_view blob) {
  if (blob.size() != sizeof(Number)) throw base::refused("malformed message: a number has the wrong size");
  Number number;
  std::memcpy(&number, blob.data(), sizeof number);
  return number;
}

}  // namespace

void append_cost(std::string& out, std::uint64_t call, const LimitsMessage& message) {
  append_message(out, HostMessage::limits_cost, call, 0, 0, {message.limit, bytes_of(message.tokens)});
}

void append_quota(std::string& out, std::uint64_t call, const LimitsMessage& message) {
  append_message(out, HostMessage::limits_quota, call, 0, 0,
                 {message.limit, bytes_of(message.tokens), bytes_of(message.reset_ms), bytes_of(message.total)});
}

LimitsMessage parse_limits(const Frame& frame) {
  const bool cost = static_cast<HostMessage>(frame.type) == HostMessage::limits_cost;
  expect_blobs(frame, cost ? 2 : 4);
  LimitsMessage message{frame.blobs[0], number_of<std::int64_t>(frame.blobs[1])};
  if (cost) return message;
  message.reset_ms = number_of<std::int64_t>(frame.blobs[2]);
  message.total = number_of<std::int64_t>(frame.blobs[3]);
  return message;
}

void append(std::string& out, const CallMessage& message) {
  append_message(out, HostMessage::call, message.call, message.attempt, 0,
                 {bytes_of(message.deadline_ns), message.unit, message.method, message.idempotency_key, message.input});
}

CallMessage parse_call(const Frame& frame) {
  expect_blobs(frame, 5);
  return {frame.call,     frame.tag,     number_of<std::int64_t>(frame.blobs[0]), frame.blobs[1], frame.blobs[2],
          frame.blobs[3], frame.blobs[4]};
}

void append(std::string& out, const ResultMessage& message) {
  const auto flags = static_cast<std::uint8_t>(message.status);
  if (message.status == HostStatus::ok) {
    append_message(out, HostMessage::result, message.call, 0, flags, {message.output});
  } else {
    append_message(out, HostMessage::result, message.call, 0, flags,
                   {message.code, message.message, bytes_of(message.retry_after_ms)});
  }
}

ResultMessage parse_result(const Frame& frame) {
  ResultMessage message;
  message.call = frame.call;
  message.status = to_host_status(frame.flags);
  if (message.status == HostStatus::ok) {
    expect_blobs(frame, 1);
    message.output = frame.blobs[0];
  } else {
    expect_blobs(frame, 3);
    message.code = frame.blobs[0];
    message.message = frame.blobs[1];
    message.retry_after_ms = number_of<std::int64_t>(frame.blobs[2]);
  }
  return message;
}

void append_progress(std::string& out, std::uint64_t call, std::uint64_t done, std::uint64_t total,
                     std::string_view fields) {
  append_message(out, HostMessage::progress, call, 0, 0, {bytes_of(done), bytes_of(total), fields});
}

Progress parse_progress(const Frame& frame) {
  expect_blobs(frame, 3);
  return {number_of<std::uint64_t>(frame.blobs[0]), number_of<std::uint64_t>(frame.blobs[1]), frame.blobs[2]};
}

void append_message(std::string& out, HostMessage type, std::uint64_t call, std::uint32_t tag, std::uint8_t flags,
                    std::initializer_list<std::string_view> blobs, std::string_view json) {
  Frame frame;
  frame.type = static_cast<std::uint16_t>(type);
  frame.call = call;
  frame.tag = tag;
  frame.flags = flags;
  frame.json = json;
  frame.set_blobs(blobs);
  append_frame(out, frame);
}

void expect_blobs(const Frame& frame, std::size_t count) {
  if (frame.blob_count != count)
    throw base::refused("malformed message: \"" + std::string(name(static_cast<HostMessage>(frame.type))) + "\" has " +
                        std::to_string(frame.blob_count) + " parts instead of " + std::to_string(count));
}

base::json::object parse_object(const Frame& frame) {
  base::json::value value = base::parse_json(frame.json);
  if (!value.is_object()) throw base::refused("malformed message: its JSON is no object");
  return std::move(value.get_object());
}

bool is_question(HostMessage type) {
  switch (type) {
    case HostMessage::checkpoint_put:
    case HostMessage::checkpoint_get:
    case HostMessage::invoke:
    case HostMessage::http_request:
    case HostMessage::secret_get:
    case HostMessage::artifact_create:
    case HostMessage::artifact_commit:
    case HostMessage::artifact_open:
      return true;
    default:
      return false;
  }
}

std::string_view name(HostMessage type) {
  const auto index = static_cast<std::size_t>(type);
  return kMessageNames[index < kMessageNames.size() ? index : 0];
}

std::string_view name(HostStatus status) {
  return kStatusNames[static_cast<std::size_t>(status)];
}

HostStatus to_host_status(std::int32_t number) {
  const bool known = number >= 0 && number < static_cast<std::int32_t>(kStatusNames.size());
  return known ? static_cast<HostStatus>(number) : HostStatus::failed;
}

}  // namespace godwit::wire
