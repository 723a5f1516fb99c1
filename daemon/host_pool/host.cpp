#include "host_pool/host.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"
#include "engine/rank.hpp"
#include "process/sandbox.hpp"

namespace godwit::host_pool {
namespace {

namespace asio = boost::asio;
namespace json = base::json;
using engine::LogLevel;
using wire::HostMessage;
using wire::HostStatus;

constexpr auto kRetryAfterMax = std::chrono::hours(24 * 30);

std::string checked_object(std::string_view fields) {
  const bool valid = !fields.empty() && fields.front() == '{' && base::is_json(fields);
  return valid ? std::string(fields) : std::string();
}

LogLevel log_level(std::uint8_t number) {
  return static_cast<LogLevel>(std::min<std::uint8_t>(number, static_cast<std::uint8_t>(LogLevel::error)));
}

model::Failure failure(std::string code, std::string message, bool retryable = false) {
  return {std::move(code), std::move(message), retryable, {}};
}

config::PluginSettings granted_to(const std::string& plugin, const HostSettings& settings) {
  const auto found = settings.plugins.find(plugin);
  return found == settings.plugins.end() ? config::PluginSettings() : found->second;
}

// A name or value in a frame that the host process checks before it sends it: anything else means that its memory is
// not what it was.
void expect(bool valid, const char* what) {
  if (!valid) throw base::refused(std::string("malformed message: ") + what);
}

}  // namespace

HostSettings host_settings(const config::Settings& settings) {
  HostSettings result;
  result.program = settings.host_program;
  result.plugins = settings.plugins;
  result.require_sandbox = settings.require_sandbox;
  result.ping_interval = settings.plugin_ping;
  result.extensions.developer = settings.developer;
  result.extensions.egress_program = settings.egress_program;
  result.extensions.artifact_size_max = settings.artifact_max;
  return result;
}

Host::Host(asio::io_context& context, std::shared_ptr<const Plugin> plugin, const HostSettings& settings,
           const Quarantine& quarantine, Owner& owner)
    : context_(context),
      plugin_(std::move(plugin)),
      settings_(settings),
      granted_(granted_to(plugin_->manifest.id, settings)),
      quarantine_(quarantine),
      owner_(owner),
      state_timer_(context),
      deadline_timer_(context),
      ping_timer_(context),
      backoff_(settings.backoff_first) {
  auto entry = quarantine_.find(plugin_->manifest.id, plugin_->file.sha256());
  if (!entry) return;
  state_ = State::quarantine;
  last_cause_ = std::move(entry->cause);
  crash_report_ = std::move(entry->report);
}

Host::~Host() {
  if (process_) process_->detach();
}

// --- calls
// ------------------------------------------------------------------------------------------------------------------------------------------

void Host::enqueue(Call& call) {
  call.host = this;
  call.turn = engine::turn_of(base::tick(), call.step.priority);
  queue_.emplace(std::pair(call.turn, call.number), &call);
  pump_soon();
}

void Host::pump_soon() {
  if (pump_pending_) return;
  pump_pending_ = true;
  asio::post(context_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->pump();
  });
}

void Host::pump() {
  pump_pending_ = false;
  if (draining_) {
    while (!queue_.empty()) finish(*queue_.begin()->second, engine::StepCancelled{});
    end_if_done();
    return;
  }
  if (state_ == State::quarantine) fail_queue("quarantined", quarantine_text());
  if (state_ == State::backoff && !load_failure_.empty()) fail_queue("plugin_unusable", load_failure_);
  if (state_ == State::idle && !queue_.empty()) start();
  while (state_ == State::ready && !queue_.empty() && !full()) {
    Call& call = *queue_.begin()->second;
    queue_.erase(queue_.begin());
    dispatch(call);
  }
}

void Host::dispatch(Call& call) {
  const base::Tick now = base::tick();
  call.dispatched = true;
  call.last_sign = now;
  ++calls_;
  call.deadline = call.not_after;
  if (call.step.timeout.count() > 0) call.deadline = std::min(call.deadline, now + call.step.timeout);
  in_flight_.emplace(call.number, &call);
  const bool limited = call.deadline != base::Tick::max();
  process_->write([&](std::string& out) {
    wire::append(
        out, wire::CallMessage{call.number, static_cast<std::uint32_t>(call.step.attempt),
                               limited ? call.deadline.time_since_epoch().count() : wire::kNoDeadline,
                               call.callable->unit, call.callable->method, call.step.idempotency_key, call.step.input});
  });
  if (limited) watch_deadlines(call.deadline);
  if (granted_.stall.count() > 0) watch_deadlines(now + granted_.stall);
  call.listener->started();
}

void Host::cancel(Call& call) {
  if (!call.dispatched) return finish(call, engine::StepCancelled{});
  tell_to_end(call, Call::Ending::cancelled);
}

void Host::tell_to_end(Call& call, Call::Ending why) {
  if (call.ending != Call::Ending::no) return;
  call.ending = why;
  call.kill_at = base::tick() + plugin_->manifest.cancel;
  watch_deadlines(call.kill_at);
  if (process_)
    process_->write([&](std::string& out) { wire::append_message(out, HostMessage::cancel, call.number, 0, 0, {}); });
}

void Host::finish(Call& call, engine::StepOutcome outcome) {
  if (call.dispatched) {
    in_flight_.erase(call.number);
  } else {
    queue_.erase({call.turn, call.number});
  }
  if (!queue_.empty() || draining_) pump_soon();
  if (idle()) idle_since_ = base::tick();
  owner_.on_finished(call, std::move(outcome));
}

void Host::reply(std::uint64_t call, std::uint32_t question, HostStatus status, std::string_view value) {
  if (!answers(call)) return;
  process_->write([&](std::string& out) {
    wire::append_message(out, HostMessage::reply, call, question, static_cast<std::uint8_t>(status), {value});
  });
}

void Host::reply(std::uint64_t call, std::uint32_t question, HostStatus status, std::string_view value,
                 std::string_view body) {
  if (!answers(call)) return;
  process_->write([&](std::string& out) {
    wire::append_message(out, HostMessage::reply, call, question, static_cast<std::uint8_t>(status), {value, body});
  });
}

void Host::reply_fd(std::uint64_t call, std::uint32_t question, std::string_view value, base::UniqueFd fd) {
  if (!answers(call)) return;
  process_->write_fd(
      [&](std::string& out) { wire::append_message(out, HostMessage::reply_fd, call, question, 0, {value}); },
      std::move(fd));
}

// --- frames
// -----------------------------------------------------------------------------------------------------------------------------------------

void Host::on_frame(const wire::Frame& frame) {
  const auto type = static_cast<HostMessage>(frame.type);
  if (type == HostMessage::hello) return on_hello(frame);
  if (type == HostMessage::opened) return on_opened(frame);
  if (type == HostMessage::pong) {
    pongs_seen_ = frame.tag;
    return;
  }
  if (type == HostMessage::log && frame.call == 0) {  // from open()
    wire::expect_blobs(frame, 2);
    base::log::info("plugin {}: {}", plugin_->manifest.id, base::repaired_utf8(frame.blobs[0]));
    return;
  }
  const auto call = in_flight_.find(frame.call);
  expect(call != in_flight_.end(), "it is for a call that is not in flight");
  on_call_frame(*call->second, frame);
}

void Host::on_call_frame(Call& call, const wire::Frame& frame) {
  // A hung loop may still print; whatever else it says shows that it gets on.
  if (static_cast<HostMessage>(frame.type) != HostMessage::log) call.last_sign = base::tick();
  if (wire::is_question(static_cast<HostMessage>(frame.type))) expect_turn(call);
  switch (static_cast<HostMessage>(frame.type)) {
    case HostMessage::result:
      return on_result(call, frame);
    case HostMessage::log:
      return on_log(call, frame);
    case HostMessage::emit:
      return on_emit(call, frame);
    case HostMessage::checkpoint_put:
      return on_checkpoint_put(call, frame);
    case HostMessage::checkpoint_get:
      return on_checkpoint_get(call, frame);
    case HostMessage::progress: {
      const wire::Progress progress = wire::parse_progress(frame);
      return call.listener->progress(progress.done, progress.total, checked_object(progress.fields));
    }
    case HostMessage::invoke:
      wire::expect_blobs(frame, 3);
      expect(base::is_utf8(frame.blobs[0]) && base::is_json(frame.blobs[1]) && base::is_utf8(frame.blobs[2]),
             "a nested call is not valid");
      return owner_.on_invoke(call, frame.tag, std::string(frame.blobs[0]), std::string(frame.blobs[1]),
                              std::string(frame.blobs[2]));
    default:
      if (!owner_.on_extension(call, frame))
        throw base::refused("malformed message: unknown type " + std::to_string(frame.type));
  }
}

// The library in the process waits for each answer; a plugin that writes to the socket itself may not, and what it asks
// for would pile up here.
void Host::expect_turn(Call& call) {
  expect(!call.asking, "a call asks before it has the answer to what it asked");
  expect(!process_->behind(), "it asks without reading the answers");
  call.asking = true;
}

// Whether somebody waits for the reply; who is told is free to ask again.
bool Host::answers(std::uint64_t call) {
  const auto found = in_flight_.find(call);
  if (!process_ || found == in_flight_.end()) return false;
  found->second->asking = false;
  return true;
}

void Host::on_hello(const wire::Frame& frame) {
  const json::object hello = wire::parse_object(frame);
  const json::value* protocol = hello.if_contains("protocol");
  expect(state_ == State::starting && !opened_, "a second hello");
  if (!protocol || !protocol->is_int64() || protocol->get_int64() != wire::kHostProtocol)
    throw base::refused(settings_.program + " is of another version than this godwitd");
  on_sandbox_report(hello.at("sandbox"));
  if (state_ != State::starting) return;
  json::array units;
  json::object config;
  for (const auto& unit : plugin_->manifest.units) {
    units.push_back(json::object{{"id", unit.id}, {"kind", wire::name(unit.kind)}});
    const auto own = granted_.units.find(unit.id);
    if (own != granted_.units.end()) config.emplace(unit.id, own->second);
  }
  json::array extensions;
  for (auto& id : wire::given_extensions(plugin_->manifest, settings_.extensions.developer))
    extensions.emplace_back(id);
  const std::string request = base::serialize(
      json::object{{"units", units}, {"concurrency", plugin_->manifest.concurrency}, {"extensions", extensions}});
  const std::string config_text = base::serialize(config);
  process_->write(
      [&](std::string& out) { wire::append_message(out, HostMessage::open, 0, 0, 0, {config_text}, request); });
}

// The plugin is not loaded yet: a process that is not confined as it should be does no harm.
void Host::on_sandbox_report(const json::value& report) {
  const bool known = sandbox_ == report;
  sandbox_ = report;
  const auto sandbox = json::value_to<process::SandboxReport>(report);
  if (!known) {
    for (const auto& note : sandbox.notes) base::log::warning("plugin {}: {}", plugin_->manifest.id, note);
    for (const auto& what : sandbox.missing)
      base::log::warning("plugin {}: its process is not confined: {}", plugin_->manifest.id, what);
  }
  if (settings_.require_sandbox && !sandbox.missing.empty())
    kill("its process cannot be confined and require_sandbox is set: " + sandbox.missing.front());
}

void Host::on_opened(const wire::Frame& frame) {
  expect(state_ == State::starting, "\"opened\" comes twice");
  state_timer_.cancel();
  if (!frame.json.empty()) {
    const json::object answer = wire::parse_object(frame);
    const json::value* message = answer.if_contains("message");
    kill(message && message->is_string() ? base::repaired_utf8(std::string_view(message->get_string()))
                                         : "it could not be opened");
    return;
  }
  opened_ = true;
  crashed_loads_ = 0;
  state_ = State::ready;
  load_failure_.clear();
  ready_since_ = base::tick();
  pings_sent_ = pongs_seen_ = 0;
  ping();
  pump_soon();
}

void Host::on_log(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 2);
  log(call, log_level(frame.flags), frame.blobs[0], frame.blobs[1], "");
}

void Host::on_line(std::string_view line, std::string_view stream) {
  if (in_flight_.empty()) base::log::debug("plugin {} {}: {}", plugin_->manifest.id, stream, base::repaired_utf8(line));
  for (const auto& [number, call] : in_flight_) log(*call, LogLevel::info, line, {}, stream);
}

void Host::log(Call& call, LogLevel level, std::string_view text, std::string_view fields, std::string_view stream) {
  if (!log_budget_.take(text.size() + fields.size() + 1)) return;
  if (const std::uint64_t dropped = log_budget_.dropped())
    call.listener->log(
        LogLevel::warning,
        std::to_string(dropped) + " log lines of the plugin were dropped: it writes more than 4 MiB a second", {}, "");
  call.listener->log(level, base::repaired_utf8(text), checked_object(fields), stream);
}

void Host::on_emit(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 2);
  call.emitted_size += wire::emitted_size(frame.blobs[0], frame.blobs[1]);
  expect(call.emitted_size <= wire::kPayloadSizeMax && base::is_utf8(frame.blobs[0]) && base::is_json(frame.blobs[1]),
         "a row is not valid");
  call.emitted.push_back({std::string(frame.blobs[0]), std::string(frame.blobs[1])});
}

void Host::on_checkpoint_put(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 2);
  expect(base::is_utf8(frame.blobs[0]) && base::is_json(frame.blobs[1]), "a checkpoint is not valid");
  if (!call.checkpoints.add(frame.blobs[0], frame.blobs[1]))
    return reply(call.number, frame.tag, HostStatus::too_big, {});
  call.listener->checkpoint_put(std::string(frame.blobs[0]), std::string(frame.blobs[1]),
                                [weak = weak_from_this(), number = call.number, question = frame.tag](bool stored) {
                                  if (const auto self = weak.lock())
                                    self->reply(number, question, stored ? HostStatus::ok : HostStatus::failed, {});
                                });
}

void Host::on_checkpoint_get(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 1);
  expect(base::is_utf8(frame.blobs[0]), "the key of a checkpoint is not valid");
  call.listener->checkpoint_get(std::string(frame.blobs[0]), [weak = weak_from_this(), number = call.number,
                                                              question = frame.tag](std::optional<std::string> value) {
    if (const auto self = weak.lock())
      self->reply(number, question, value ? HostStatus::ok : HostStatus::not_found, value.value_or(""));
  });
}

void Host::on_result(Call& call, const wire::Frame& frame) {
  const wire::ResultMessage result = wire::parse_result(frame);
  if (in_flight_.size() == 1) process_->flush_output();
  // A process that served somebody well was not ill from the start: what ends it now need not end the next one.
  served_ = served_ || result.status == HostStatus::ok;
  finish(call, outcome_of(call, result));
}

engine::StepOutcome Host::outcome_of(Call& call, const wire::ResultMessage& result) const {
  if (result.status == HostStatus::ok) {
    std::string why;
    if (base::is_json(result.output, &why))
      return engine::StepSucceeded{std::string(result.output), std::move(call.emitted)};
    return engine::StepFailed{failure("bad_output", "the plugin's result is not JSON: " + why)};
  }
  if (call.ending == Call::Ending::cancelled) return engine::StepCancelled{};
  if (call.ending == Call::Ending::deadline) return timed_out(call, "");
  model::Failure why = failure(base::repaired_utf8(result.code), base::repaired_utf8(result.message),
                               result.status == HostStatus::retry);
  if (result.status == HostStatus::cancelled)
    why = failure("cancelled", "the plugin ended the call as cancelled although nobody had asked for it");
  if (why.retryable && result.retry_after_ms >= 0)
    why.retry_after = std::min<base::Duration>(
        kRetryAfterMax, std::chrono::milliseconds(std::min<std::int64_t>(result.retry_after_ms, 1'000'000'000'000)));
  return engine::StepFailed{std::move(why)};
}

// Nobody knows whether a call that was cut off had its effect, so only one that may simply be made again is worth a
// retry.
engine::StepOutcome Host::timed_out(const Call& call, const std::string& how) const {
  const std::string limit = call.step.timeout.count() > 0 ? " within " + base::format_duration(call.step.timeout)
                                                          : " before the deadline of the call that made it";
  return engine::StepFailed{
      failure("timeout", call.callable->name + " did not end" + limit + how, call.step.may_repeat)};
}

// --- time
// -------------------------------------------------------------------------------------------------------------------------------------------

// One timer for all calls. It is only ever moved forward in time by a call that ends earlier, so calls that end in time
// cost nothing.
void Host::watch_deadlines(base::Tick next) {
  if (next >= next_deadline_check_) return;
  next_deadline_check_ = next;
  deadline_timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(next));
  deadline_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->check_deadlines();
  });
}

void Host::check_deadlines() {
  next_deadline_check_ = base::Tick::max();
  const base::Tick now = base::tick();
  base::Tick next = base::Tick::max();
  for (const auto& [number, call] : in_flight_) {
    if (call->kill_at <= now) {
      blameless_ = true;  // who is told to end by a deadline or a person is not ill for taking too long
      return kill("it was killed because " + call->callable->name + " (" + call->step.path +
                  ") did not end when it was told to");
    }
    if (call->deadline <= now) tell_to_end(*call, Call::Ending::deadline);
    next = std::min(next, call->ending == Call::Ending::no ? call->deadline : call->kill_at);
    if (granted_.stall.count() == 0 || call->ending != Call::Ending::no) continue;
    if (call->nested) call->last_sign = now;  // it waits for somebody else, who is watched
    if (call->last_sign + granted_.stall <= now)
      return kill("it was killed because " + call->callable->name + " (" + call->step.path +
                  ") had shown no sign of life for " + base::format_duration(granted_.stall) + " (plugins." +
                  plugin_->manifest.id + ".stall)");
    next = std::min(next, call->last_sign + granted_.stall);
  }
  if (next != base::Tick::max()) watch_deadlines(next);
}

void Host::ping() {
  if (state_ != State::ready) return;
  if (pings_sent_ - pongs_seen_ >= static_cast<std::uint32_t>(settings_.missed_pongs_max))
    return kill("it was killed because it did not answer " + std::to_string(settings_.missed_pongs_max) + " pings");
  if (retired_ && base::tick() - idle_since_ >= settings_.ping_interval && end_if_done()) return;
  ++pings_sent_;
  process_->write([this](std::string& out) { wire::append_message(out, HostMessage::ping, 0, pings_sent_, 0, {}); });
  ping_timer_.expires_after(settings_.ping_interval);
  ping_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->ping();
  });
}

}  // namespace godwit::host_pool
