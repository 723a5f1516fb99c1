#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "wire/frame.hpp"

namespace godwit::wire {

// The messages between godwitd and godwit-host, protocol 1, on a socketpair that is the host's descriptor 3. The host
// speaks first:
//   host: hello    daemon: open    host: opened    then calls, in any number up to the plugin's concurrency
// Every message of a call carries its number in Frame::call. A message that is not understood ends the connection.
enum class HostMessage : std::uint16_t {
  hello = 1,  // host: JSON {protocol, abi, sandbox}
  open,       // daemon: JSON {units: [{id, kind}], concurrency, extensions: [id]}, blob configuration {unit id: {...}}
  opened,     // host: empty, or JSON {message} when the plugin cannot be used
  call,       // daemon: struct CallMessage
  result,     // host: struct ResultMessage; the last message of its call
  log,        // host: flags = level, blobs text, fields
  progress,   // host: blobs done and total (two u64), fields
  emit,       // host: blobs topic, row
  checkpoint_put,  // host: tag = question, blobs key, value
  checkpoint_get,  // host: tag = question, blob key
  invoke,          // host: tag = question, blobs callable, arguments, key suffix
  reply,           // daemon: tag = question, flags = HostStatus, blob value, for http_request also blob body
  cancel,          // daemon: the call should end
  ping,            // daemon: tag is given back
  pong,            // host
  bye,             // daemon: no more calls; close the units and exit
  // Of the extensions; each is answered by a reply.
  http_request,     // host: tag = question, blobs request JSON, body
  secret_get,       // host: tag = question, blob name
  artifact_create,  // host: tag = question, blobs name, media type; answered by reply_fd with the artifact's handle
  artifact_commit,  // host: tag = question, blob handle; the answer's value is the reference
  artifact_open,    // host: tag = question, blob name; answered by reply_fd
  reply_fd,         // daemon: a reply with status ok; a descriptor travels beside its first byte
  limits_cost,      // host: blobs limit, tokens (i64); without a reply
  limits_quota,     // host: blobs limit, remaining, reset in ms, limit or -1 (i64 each); without a reply
};

// What a call says of limits.
struct LimitsMessage {
  std::string_view limit;
  std::int64_t tokens = 0;  // that it cost, or that remain
  std::int64_t reset_ms = 0;
  std::int64_t total = -1;
};
void append_cost(std::string& out, std::uint64_t call, const LimitsMessage& message);
void append_quota(std::string& out, std::uint64_t call, const LimitsMessage& message);
// Throws base::Error for a malformed one.
LimitsMessage parse_limits(const Frame& frame);

// The extensions that godwit offers to plugins (sdk/include/godwit/ext/).
inline constexpr std::array<std::string_view, 4> kExtensions{"godwit.artifact/1", "godwit.http/1", "godwit.limits/1",
                                                             "godwit.secret/1"};

// The values of gw_status in plugin.h, which this folder does not know; godwit-host asserts that they are equal.
enum class HostStatus : std::uint8_t { ok, retry, failed, cancelled, not_found, denied, too_big, unsupported, invalid };

inline constexpr std::uint32_t kHostProtocol = 1;
// The largest payload of a plugin; the rest of a frame is for what goes with it.
inline constexpr std::size_t kPayloadSizeMax = 30u * 1024 * 1024;
// What a row that is emitted counts against kPayloadSizeMax: small ones have their cost too.
inline std::size_t emitted_size(std::string_view topic, std::string_view row) {
  return topic.size() + row.size() + 64;
}
inline constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();
// The daemon's descriptor of the protocol in a new host process.
inline constexpr int kHostProtocolFd = 3;

struct CallMessage {
  std::uint64_t call = 0;
  std::uint32_t attempt = 1;
  std::int64_t deadline_ns = kNoDeadline;  // CLOCK_MONOTONIC
  std::string_view unit;
  std::string_view method;
  std::string_view idempotency_key;
  std::string_view input;
};

struct ResultMessage {
  std::uint64_t call = 0;
  HostStatus status = HostStatus::ok;
  std::string_view output;  // when ok
  std::string_view code;    // when retry or failed
  std::string_view message;
  std::int64_t retry_after_ms = -1;
};

void append(std::string& out, const CallMessage& message);
void append(std::string& out, const ResultMessage& message);
void append_progress(std::string& out, std::uint64_t call, std::uint64_t done, std::uint64_t total,
                     std::string_view fields);
// Any other message: a type, what the table above says, and nothing else.
void append_message(std::string& out, HostMessage type, std::uint64_t call, std::uint32_t tag, std::uint8_t flags,
                    std::initializer_list<std::string_view> blobs, std::string_view json = {});

// These and expect_blobs() throw Error(refused) when the frame is not what its type demands.
CallMessage parse_call(const Frame& frame);
ResultMessage parse_result(const Frame& frame);
struct Progress {
  std::uint64_t done;
  std::uint64_t total;
  std::string_view fields;
};
Progress parse_progress(const Frame& frame);
void expect_blobs(const Frame& frame, std::size_t count);
base::json::object parse_object(const Frame& frame);
// Whether it is a host's question, whose call waits for the reply: a call has one at a time.
bool is_question(HostMessage type);
std::string_view name(HostMessage type);
std::string_view name(HostStatus status);
// An unknown number means failed, as plugin.h says.
HostStatus to_host_status(std::int32_t number);

}  // namespace godwit::wire
