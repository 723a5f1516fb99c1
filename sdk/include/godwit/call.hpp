// One call of a plugin's method, as C++ sees it: what the host offers during it, and how it ends when it does not end
// well. README.md of the sdk is the tutorial.
#pragma once
#include <godwit/ext/artifact.h>
#include <godwit/ext/http.h>
#include <godwit/ext/limits.h>
#include <godwit/ext/secret.h>
#include <godwit/plugin.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace godwit {

namespace json = boost::json;

enum class Level : std::int32_t {
  debug = GW_LOG_DEBUG,
  info = GW_LOG_INFO,
  warning = GW_LOG_WARNING,
  error = GW_LOG_ERROR
};

// Ends the call as failed; thrown by fail() and retry(), and by Call::invoke() with what the called method said.
class Failure : public std::exception {
 public:
  Failure(std::string code, std::string message, bool retryable,
          std::optional<std::chrono::milliseconds> retry_after = {})
      : code_(std::move(code)), message_(std::move(message)), retryable_(retryable), retry_after_(retry_after) {}
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& code() const { return code_; }
  const std::string& message() const { return message_; }
  bool retryable() const { return retryable_; }
  const std::optional<std::chrono::milliseconds>& retry_after() const { return retry_after_; }

 private:
  std::string code_;
  std::string message_;
  bool retryable_;
  std::optional<std::chrono::milliseconds> retry_after_;
};

// Ends the call as cancelled. No std::exception, so that a catch for errors does not swallow it.
struct Cancelled {};

// The same call would fail again. `code` is short and stable, `text` a sentence for people.
[[noreturn]] inline void fail(std::string_view code, std::string_view text) {
  throw Failure(std::string(code), std::string(text), false);
}

// Failed for now; the job's retry rule decides. `retry_after` is what the other side asked for.
[[noreturn]] inline void retry(std::string_view code, std::string_view text,
                               std::optional<std::chrono::milliseconds> retry_after = {}) {
  throw Failure(std::string(code), std::string(text), true, retry_after);
}

namespace detail {

inline gw_view view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text(const gw_view& view) {
  return {reinterpret_cast<const char*>(view.ptr), static_cast<std::size_t>(view.len)};
}

inline json::value parse(std::string_view input) {
  json::parse_options options;
  options.max_depth = 64;
  return json::parse(json::string_view(input.data(), input.size()), {}, options);
}

inline std::string serialized(const json::object& fields) {
  return fields.empty() ? std::string() : json::serialize(fields);
}

// The bytes of a buffer of the host, given back at the end of the scope. NULL counts as empty.
class Buffer {
 public:
  Buffer(const gw_host* host, gw_buf* buffer) : host_(host), buffer_(buffer) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { host_->buf_release(buffer_); }
  std::string_view text() const {
    gw_view bytes{};
    if (buffer_) host_->buf_view(buffer_, &bytes);
    return detail::text(bytes);
  }

 private:
  const gw_host* host_;
  gw_buf* buffer_;
};

}  // namespace detail

// A request to the outside world. Redirects are followed to allowed hosts only, and only when asked for.
struct HttpRequest {
  std::string url;
  std::string method;  // empty: GET, or POST with a body
  json::object headers;
  std::string body;
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  std::size_t max_body = 8u * 1024 * 1024;  // bytes of the answer
  bool follow_redirects = false;
};

struct HttpAnswer {
  int status = 0;
  json::object headers;  // names in lower case
  std::string url;       // the last one, after redirects
  std::string body;

  // Empty when there is none; `name` in lower case.
  std::string header(std::string_view name) const {
    const json::value* value = headers.if_contains(json::string_view(name.data(), name.size()));
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  }
  // Throws Failure unless the status is 2xx: retryable with 408, 429 and 5xx, after what Retry-After says in seconds.
  const HttpAnswer& expect_success() const {
    if (status >= 200 && status < 300) return *this;
    const std::string message = "the server answered " + std::to_string(status) + ": " + body.substr(0, 300);
    const bool transient = status == 408 || status == 429 || status >= 500;
    const std::string after = header("retry-after");
    const bool has_after =
        !after.empty() && after.size() < 8 && after.find_first_not_of("0123456789") == std::string::npos;
    throw Failure(
        "http_" + std::to_string(status), message, transient,
        has_after ? std::optional<std::chrono::milliseconds>(std::chrono::seconds(std::stol(after))) : std::nullopt);
  }
};

class Call;

// A file that becomes an artifact with commit(); given up when it is destroyed before.
class ArtifactFile {
 public:
  ArtifactFile(const Call& call, std::int32_t fd) : call_(&call), fd_(fd) {}
  ArtifactFile(ArtifactFile&& other) noexcept : call_(other.call_), fd_(std::exchange(other.fd_, -1)) {}
  ArtifactFile& operator=(ArtifactFile&&) = delete;
  ~ArtifactFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  // For writing and seeking by other means; not to be closed.
  int fd() const { return fd_; }
  inline void write(std::string_view bytes);
  // Durable when it returns. Gives what stands for the file in results: {"artifact", "size", "name", "media_type"}.
  inline json::object commit();

 private:
  const Call* call_;
  std::int32_t fd_;
};

// The call being executed: a borrowed handle, valid until run() or call() returns. Thread rules as for the functions of
// gw_host.
class Call {
 public:
  Call(const gw_host* host, gw_call* call) : host_(host), call_(call) {}

  bool cancelled() const { return host_->cancelled(call_) != 0; }
  // Put this into every loop: throws Cancelled.
  void check_cancel() const {
    if (cancelled()) throw Cancelled{};
  }
  // Waits and looks every 50 ms whether the call was cancelled; throws Cancelled.
  void sleep_for(std::chrono::milliseconds time) const {
    using std::chrono::steady_clock;
    // Longer than any call lives, and no sum that overflows.
    const steady_clock::time_point end =
        steady_clock::now() + std::min<std::chrono::milliseconds>(time, std::chrono::hours(24 * 365));
    while (true) {
      check_cancel();
      const steady_clock::duration left = end - steady_clock::now();
      if (left <= steady_clock::duration::zero()) return;
      std::this_thread::sleep_for(std::min<steady_clock::duration>(left, std::chrono::milliseconds(50)));
    }
  }
  // Empty when there is none.
  std::optional<std::chrono::steady_clock::time_point> deadline() const {
    const std::int64_t nanoseconds = host_->deadline_ns(call_);
    if (nanoseconds == INT64_MAX) return std::nullopt;
    return std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::nanoseconds(nanoseconds)));
  }
  // The same for every attempt of this call.
  std::string_view idempotency_key() const {
    gw_view key{};
    host_->idempotency_key(call_, &key);
    return detail::text(key);
  }
  int attempt() const { return host_->attempt(call_); }

  // `total` 0 means unknown. `fields` are shown beside it.
  void progress(std::uint64_t done, std::uint64_t total, const json::object& fields = {}) {
    host_->progress(call_, done, total, detail::view(detail::serialized(fields)));
  }
  void log(Level level, std::string_view text, const json::object& fields = {}) {
    host_->log(call_, static_cast<std::int32_t>(level), detail::view(text), detail::view(detail::serialized(fields)));
  }
  // A row that is stored under `topic` together with the step, if the call succeeds.
  void emit(std::string_view topic, const json::value& row) {
    expect(host_->emit(call_, detail::view(topic), detail::view(json::serialize(row))), "emit");
  }
  // Durable when it returns; later attempts of this call read it with checkpoint_get().
  void checkpoint_put(std::string_view key, const json::value& value) {
    expect(host_->checkpoint_put(call_, detail::view(key), detail::view(json::serialize(value))), "checkpoint_put");
  }
  std::optional<json::value> checkpoint_get(std::string_view key) {
    gw_buf* buffer = nullptr;
    const gw_status status = host_->checkpoint_get(call_, detail::view(key), &buffer);
    const detail::Buffer value(host_, buffer);
    if (status == GW_NOT_FOUND) return std::nullopt;
    expect(status, "checkpoint_get");
    return detail::parse(value.text());
  }
  // Calls "timetable.search" or "flight-search/1.search" and gives its result; throws Failure with what that method
  // said. Two equal calls that shall both happen need different suffixes.
  json::value invoke(std::string_view name, const json::object& args, std::string_view key_suffix = {}) {
    gw_buf* buffer = nullptr;
    const gw_status status = host_->invoke(call_, detail::view(name), detail::view(json::serialize(args)),
                                           detail::view(key_suffix), &buffer);
    const detail::Buffer result(host_, buffer);
    expect(status, "invoke", result.text());
    return detail::parse(result.text());
  }

  // Needs "godwit.http/1" in the manifest, and the host among those the operator allows. Any status is an answer;
  // throws Failure when there is none.
  HttpAnswer http(const HttpRequest& request) const {
    const auto& http = extension<gw_host_http>(GW_EXT_HTTP);
    json::object fields{{"url", request.url},
                        {"timeout_ms", request.timeout.count()},
                        {"max_body", request.max_body},
                        {"follow_redirects", request.follow_redirects}};
    if (!request.method.empty()) fields["method"] = request.method;
    if (!request.headers.empty()) fields["headers"] = request.headers;
    gw_buf* response = nullptr;
    gw_buf* body = nullptr;
    const gw_status status =
        http.request(call_, detail::view(json::serialize(fields)), detail::view(request.body), &response, &body);
    const detail::Buffer head(host_, response), bytes(host_, body);
    expect(status, "http", head.text());
    json::value value = detail::parse(head.text());
    HttpAnswer answer;
    answer.status = value.at("status").to_number<int>();
    answer.headers = std::move(value.at("headers").as_object());
    answer.url = std::string(value.at("url").as_string());
    answer.body = std::string(bytes.text());
    return answer;
  }
  HttpAnswer get(std::string url, json::object headers = {}) const {
    HttpRequest request;
    request.url = std::move(url);
    request.headers = std::move(headers);
    return http(request);
  }

  // Needs "godwit.secret/1" in the manifest and the operator's word. Do not keep it longer than you need it.
  std::string secret(std::string_view name) const {
    gw_buf* buffer = nullptr;
    const gw_status status = extension<gw_host_secret>(GW_EXT_SECRET).get(call_, detail::view(name), &buffer);
    const detail::Buffer value(host_, buffer);
    if (status == GW_DENIED)
      throw Failure("no_secret", "the operator gives this plugin no secret \"" + std::string(name) + "\"", false);
    expect(status, "secret");
    return std::string(value.text());
  }

  // These want "godwit.limits/1" in the manifest, and do nothing without it. What the call cost of a limit of which the
  // job took an estimate:
  void cost(std::string_view limit, std::int64_t tokens) const {
    if (const auto* limits = static_cast<const gw_host_limits*>(host_->extension(GW_EXT_LIMITS)))
      limits->cost(call_, detail::view(limit), tokens);
  }
  // What the other side says it lets through until it counts anew, of one limit or of each rate that the step has.
  void quota(std::int64_t remaining, std::chrono::milliseconds reset, std::string_view limit = {}) const {
    const gw_quota quota{remaining, reset.count(), -1};
    if (const auto* limits = static_cast<const gw_host_limits*>(host_->extension(GW_EXT_LIMITS)))
      limits->quota(call_, detail::view(limit), &quota);
  }

  // These need "godwit.artifact/1" in the manifest.
  ArtifactFile create_artifact(std::string_view name, std::string_view media_type = {}) const {
    std::int32_t fd = -1;
    expect(
        extension<gw_host_artifact>(GW_EXT_ARTIFACT).create(call_, detail::view(name), detail::view(media_type), &fd),
        "create_artifact");
    return ArtifactFile(*this, fd);
  }
  json::object store_artifact(std::string_view name, std::string_view bytes, std::string_view media_type = {}) const {
    ArtifactFile file = create_artifact(name, media_type);
    file.write(bytes);
    return file.commit();
  }
  // `name` is "sha256:...", as in the member "artifact" of what stands for it. The caller closes the descriptor.
  int open_artifact(std::string_view name) const {
    std::int32_t fd = -1;
    const gw_status status = extension<gw_host_artifact>(GW_EXT_ARTIFACT).open(call_, detail::view(name), &fd);
    if (status == GW_NOT_FOUND) throw Failure("no_artifact", "there is no artifact " + std::string(name), false);
    expect(status, "open_artifact");
    return fd;
  }
  std::string read_artifact(std::string_view name) const {
    const int fd = open_artifact(name);
    std::string bytes;
    char piece[16 * 1024];
    ssize_t got = 0;
    while ((got = ::read(fd, piece, sizeof piece)) > 0 || (got < 0 && errno == EINTR))
      if (got > 0) bytes.append(piece, static_cast<std::size_t>(got));
    const int error = errno;
    ::close(fd);
    if (got < 0) throw Failure("io", std::string("cannot read an artifact: ") + std::strerror(error), true);
    return bytes;
  }

  // For what the C ABI has and this class has not.
  const gw_host* host() const { return host_; }
  gw_call* handle() const { return call_; }
  // The struct of an extension. Throws Failure when the host does not give it.
  template <typename Table>
  const Table& extension(const char* id) const {
    const void* table = host_->extension(id);
    if (!table)
      throw Failure("no_extension",
                    std::string("this host does not give ") + id + "; does \"needs\" in plugin.json name it?", false);
    return *static_cast<const Table*>(table);
  }
  // Throws what a status other than GW_OK means: Cancelled, or Failure with `details` ({"code", "message",
  // "retry_after_ms"}) where the host gave some.
  void expect(gw_status status, const char* function, std::string_view details = {}) const {
    if (status == GW_OK) return;
    if (status == GW_CANCELLED) throw Cancelled{};
    if (!details.empty()) throw_details(status, details);
    const char* reason = status == GW_TOO_BIG       ? "the value is too big"
                         : status == GW_INVALID     ? "an argument is not valid"
                         : status == GW_UNSUPPORTED ? "not possible here"
                         : status == GW_NOT_FOUND   ? "there is no such thing"
                         : status == GW_DENIED      ? "not allowed"
                                                    : "the daemon could not do it";
    throw Failure("host", std::string(function) + "(): " + reason, status == GW_RETRY || status == GW_FAILED);
  }

 private:
  [[noreturn]] static void throw_details(gw_status status, std::string_view details) {
    const json::value value = detail::parse(details);
    const json::object& failure = value.as_object();
    const json::value* after = failure.if_contains("retry_after_ms");
    throw Failure(
        std::string(failure.at("code").as_string()), std::string(failure.at("message").as_string()), status == GW_RETRY,
        after && after->is_int64() ? std::optional(std::chrono::milliseconds(after->get_int64())) : std::nullopt);
  }

  const gw_host* host_;
  gw_call* call_;
};

inline void ArtifactFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw Failure("io", std::string("cannot write an artifact: ") + std::strerror(errno), true);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

inline json::object ArtifactFile::commit() {
  gw_buf* buffer = nullptr;
  const auto& table = call_->extension<gw_host_artifact>(GW_EXT_ARTIFACT);
  const gw_status status = table.commit(call_->handle(), std::exchange(fd_, -1), &buffer);
  const detail::Buffer reference(call_->host(), buffer);
  call_->expect(status, "commit");
  return detail::parse(reference.text()).as_object();
}

}  // namespace godwit
