// The C++ side of the plugin ABI (godwit/plugin.h): a stage is a class with a constructor and run(), a provider one
// with call(). C++17; JSON is Boost.JSON, compiled into the plugin by godwit_add_plugin(). README.md beside this folder
// is the tutorial.
#pragma once
#include <godwit/plugin.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
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

}  // namespace detail

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
    const steady_clock::time_point end = steady_clock::now() + time;
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
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(nanoseconds));
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
    if (status == GW_NOT_FOUND) return std::nullopt;
    expect(status, "checkpoint_get");
    return take(buffer);
  }
  // Calls "timetable.search" or "flight-search/1.search" and gives its result; throws Failure with what that method
  // said. Two equal calls that shall both happen need different suffixes.
  json::value invoke(std::string_view name, const json::object& args, std::string_view key_suffix = {}) {
    gw_buf* buffer = nullptr;
    const gw_status status = host_->invoke(call_, detail::view(name), detail::view(json::serialize(args)),
                                           detail::view(key_suffix), &buffer);
    if (status != GW_OK && buffer != nullptr) {
      const json::object failure = take(buffer).as_object();
      const std::int64_t after =
          failure.at("retry_after_ms").is_null() ? -1 : failure.at("retry_after_ms").to_number<std::int64_t>();
      throw Failure(std::string(failure.at("code").as_string()), std::string(failure.at("message").as_string()),
                    status == GW_RETRY, after < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(after)));
    }
    expect(status, "invoke");
    return take(buffer);
  }

  // For what the C ABI has and this class has not, such as extensions.
  const gw_host* host() const { return host_; }
  gw_call* handle() const { return call_; }

 private:
  void expect(gw_status status, const char* function) const {
    if (status == GW_OK) return;
    if (status == GW_CANCELLED) throw Cancelled{};
    const char* reason = status == GW_TOO_BIG       ? "the value is too big"
                         : status == GW_INVALID     ? "an argument is not valid"
                         : status == GW_UNSUPPORTED ? "not possible here"
                         : status == GW_DENIED      ? "not allowed"
                                                    : "the daemon could not do it";
    throw Failure("host", std::string(function) + "(): " + reason, status == GW_RETRY || status == GW_FAILED);
  }
  json::value take(gw_buf* buffer) const {
    gw_view bytes{};
    host_->buf_view(buffer, &bytes);
    json::value value = detail::parse(detail::text(bytes));
    host_->buf_release(buffer);
    return value;
  }

  const gw_host* host_;
  gw_call* call_;
};

namespace detail {

// Runs `body` and turns whatever it throws into a status with fail(): nothing may be thrown across the C boundary.
template <typename Body>
gw_status guard(const gw_host* host, gw_call* call, Body&& body) noexcept {
  const auto report = [&](std::string_view code, std::string_view message, std::int64_t retry_after_ms) {
    host->fail(call, view(code), view(message), retry_after_ms);
  };
  try {
    return body();
  } catch (const Cancelled&) {
    return GW_CANCELLED;
  } catch (const Failure& failure) {
    report(failure.code(), failure.message(), failure.retry_after() ? failure.retry_after()->count() : -1);
    return failure.retryable() ? GW_RETRY : GW_FAILED;
  } catch (const std::exception& error) {
    report("exception", error.what(), -1);
  } catch (...) {
    report("exception", "the plugin threw something that is no std::exception", -1);
  }
  return GW_FAILED;
}

// An instance of a unit and the table it needs to talk to the host.
template <typename T>
struct Instance {
  const gw_host* host;
  T object;
};

template <typename T>
gw_status open(const gw_host* host, gw_call* call, gw_view config, void** self) noexcept {
  return guard(host, call, [&] {
    const json::value value = parse(text(config));
    *self = new Instance<T>{host, T(value.as_object())};
    return static_cast<gw_status>(GW_OK);
  });
}

// `body(instance, call, method, input)` gives the result.
template <typename T, typename Body>
gw_status run(void* self, gw_call* handle, gw_view input, Body&& body) noexcept {
  auto& instance = *static_cast<Instance<T>*>(self);
  return guard(instance.host, handle, [&]() -> gw_status {
    const json::value value = parse(text(input));
    if (!value.is_object()) fail("bad_input", "the input must be a JSON object");
    Call call(instance.host, handle);
    const json::value result = body(instance.object, call, value.get_object());
    const gw_status status = instance.host->output(handle, view(json::serialize(result)));
    if (status == GW_TOO_BIG) fail("too_big", "the result is larger than 30 MiB");
    return status;
  });
}

template <typename T>
gw_status run_stage(void* self, gw_call* handle, gw_view, gw_view input) noexcept {
  return run<T>(self, handle, input,
                [](T& object, Call& call, const json::object& value) { return json::value(object.run(call, value)); });
}

template <typename T>
gw_status run_provider(void* self, gw_call* handle, gw_view method, gw_view input) noexcept {
  return run<T>(self, handle, input, [&](T& object, Call& call, const json::object& value) {
    return json::value(object.call(call, text(method), value));
  });
}

template <typename T>
void close(void* self) noexcept {
  delete static_cast<Instance<T>*>(self);
}

}  // namespace detail
}  // namespace godwit

#define GODWIT_DETAIL_UNIT(Class, id, kind, run) \
  extern const gw_unit gw_unit_##Class;          \
  const gw_unit gw_unit_##Class = {              \
      sizeof(gw_unit), kind, id, &::godwit::detail::open<Class>, &run<Class>, &::godwit::detail::close<Class>};

// class Class { explicit Class(const json::object& config); json::value run(godwit::Call&, const json::object& input);
// };
#define GODWIT_STAGE(Class, id) GODWIT_DETAIL_UNIT(Class, id, GW_KIND_STAGE, ::godwit::detail::run_stage)

// class Class { explicit Class(const json::object& config); json::value call(godwit::Call&, std::string_view method,
// const json::object& args); };
#define GODWIT_PROVIDER(Class, id) GODWIT_DETAIL_UNIT(Class, id, GW_KIND_PROVIDER, ::godwit::detail::run_provider)

// Makes a unit of another source file, in the same namespace, known to the one with GODWIT_PLUGIN.
#define GODWIT_UNIT(Class) extern const gw_unit gw_unit_##Class;

// Once in a plugin: GODWIT_PLUGIN(&gw_unit_Rank, &gw_unit_Flights)
#define GODWIT_PLUGIN(...)                                                                              \
  extern "C" GW_EXPORT const gw_plugin* godwit_plugin_v1(const gw_host*, gw_call*) {                    \
    static const gw_unit* const units[] = {__VA_ARGS__};                                                \
    static const gw_plugin plugin = {                                                                   \
        sizeof(gw_plugin), GW_ABI_MAJOR, GW_ABI_MINOR, sizeof units / sizeof units[0], units, nullptr}; \
    return &plugin;                                                                                     \
  }
