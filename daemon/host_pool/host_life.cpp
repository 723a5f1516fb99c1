#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "host_pool/host.hpp"

// The life of a host's process: start, kill, end, pause, quarantine.
namespace godwit::host_pool {
namespace {

namespace json = base::json;
using wire::HostMessage;

constexpr std::array<std::string_view, 6> kStateNames{"idle", "starting", "ready", "ending", "backoff", "quarantine"};
// How much of stderr goes into the message of a failure; people see it in one table row.
constexpr std::size_t kStderrInMessage = 2048;
constexpr int kCrashedLoadsMax = 5;  // in a row, before the plugin counts as one that cannot be loaded
constexpr auto kEndAfterClose = std::chrono::seconds(1);
constexpr auto kEndAfterBye = std::chrono::seconds(10);
// A process whose peak was this near to its limit has most likely ended by it.
constexpr double kNearLimit = 0.9;
constexpr std::uint64_t kTasksOfProcess = 512;  // threads of its own, beside the processes it is granted

// What a plugin's process inherits: where things are and how text is written, and none of the daemon's secrets. What
// makes the daemon talk to systemd must not be passed on either.
std::vector<std::string> base_environment() {
  static constexpr std::array names{"PATH",         "HOME",         "USER",          "LOGNAME",
                                    "SHELL",        "LANG",         "LC_ALL",        "LC_CTYPE",
                                    "TZ",           "TMPDIR",       "SSL_CERT_FILE", "SSL_CERT_DIR",
                                    "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};
  std::vector<std::string> result;
  for (const char* name : names) {
    if (const char* value = std::getenv(name)) result.push_back(std::string(name) + "=" + value);
  }
  return result;
}

}  // namespace

void Host::set_state_timer(base::Duration delay, void (Host::*function)()) {
  state_timer_.expires_after(delay);
  state_timer_.async_wait([weak = weak_from_this(), function](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) ((*self).*function)();
  });
}

void Host::start() {
  ++starts_;
  opened_ = said_bye_ = blameless_ = false;
  ending_reason_.clear();
  try {
    std::vector<std::string> environment = base_environment();
    environment.insert(environment.end(), settings_.environment.begin(), settings_.environment.end());
    process_ = HostProcess::start(context_, launch(std::move(environment)), *this);
    state_ = State::starting;
    set_state_timer(settings_.open_timeout, &Host::on_open_timeout);
  } catch (const std::exception& error) {
    on_load_failure(error.what());
  }
}

// The version that was installed, whatever has its name by now.
HostProcess::Launch Host::launch(std::vector<std::string> environment) const {
  const PluginFile& file = plugin_->file;
  HostProcess::Launch result;
  result.program = settings_.program;
  result.environment = std::move(environment);
  std::string path = file.path();
  if (!file.in_place()) {
    if (!file.unchanged())
      throw base::Error(base::ErrorKind::failed,
                        "cannot load version " + plugin_->manifest.version +
                            ": its file was changed in place; `godwit reload` takes up the new one",
                        {path, 0, 0, {}});
    result.extra_fd = file.fd();
    path = "/proc/self/fd/" + std::to_string(HostProcess::kExtraFd);
  }
  if (settings_.cgroups)
    result.cgroup.emplace(settings_.cgroups->make(
        plugin_->manifest.id, {granted_.grants.memory, std::uint64_t{granted_.grants.processes} + kTasksOfProcess}));
  model::Grants grants = granted_.grants;
  grants.file_size = settings_.extensions.artifact_size_max;
  result.arguments = {path, base::serialize(json::value_from(grants))};
  return result;
}

void Host::on_open_timeout() {
  kill("it did not open within " + base::format_duration(settings_.open_timeout));
}

void Host::kill(const std::string& why) {
  if (!process_) return;
  if (ending_reason_.empty()) ending_reason_ = why;
  state_ = State::ending;
  process_->kill();
}

void Host::cut(const std::string& why) {
  blameless_ = true;
  kill(why);
  // A copy: what is cancelled leaves the queue.
  for (const auto& [place, call] : decltype(queue_)(queue_)) cancel(*call);
}

// The end of a process closes its connection first: its own way to end says more than a kill of ours would.
void Host::on_closed() {
  state_ = State::ending;
  set_state_timer(kEndAfterClose, &Host::on_still_alive);
}

void Host::on_still_alive() {
  kill(said_bye_ ? "it was killed because it did not end when it had nothing more to do"
                 : "it was killed because it had closed its connection");
}

void Host::on_ended(const process::Exit& exit) {
  // A process that we killed, or that vanished with its connection, is explained by the reason; else its own end says
  // more.
  const bool killed_by_us = exit.by_signal && exit.code == SIGKILL && !ending_reason_.empty();
  const bool refused = !opened_ && !ending_reason_.empty();
  const std::string used_up = used_up_text(exit);
  const std::string end = killed_by_us || refused ? ending_reason_ : "it ended with " + exit.text() + used_up;
  const std::string stderr_lines = process_->last_stderr(kStderrInMessage);
  const std::string cause = "the host process of plugin " + plugin_->manifest.id + ": " + end +
                            (stderr_lines.empty() ? "" : "; last lines of stderr:\n" + stderr_lines);
  state_timer_.cancel();
  ping_timer_.cancel();
  process_->detach();
  process_.reset();
  if ((draining_ || said_bye_) && in_flight_.empty()) {
    state_ = State::idle;
    if (!draining_) pump_soon();
    return;
  }
  last_cause_ = cause;
  ++crashes_;
  base::log::warning("{}", cause);
  note_crash(exit, cause, !used_up.empty());
  if (!opened_) {
    // SIGKILL is somebody else's doing, however often; who dies of another signal each time has itself to blame.
    const bool own_doing = exit.code != SIGKILL && ++crashed_loads_ >= kCrashedLoadsMax;
    if (!exit.by_signal || refused || own_doing) return on_load_failure(cause);
    return back_off(false);
  }
  back_off(served_ || base::tick() - ready_since_ >= settings_.healthy_after);
  lose_calls(cause);
}

// How it died, beside what it was doing; and whether that was once too often. A SIGKILL that is not ours comes from
// somebody else, or from the kernel for want of memory, which is the plugin's own doing only near its limit, or because its
// CPU time was over and it did not heed SIGXCPU.
void Host::note_crash(const process::Exit& exit, const std::string& cause, bool used_up) {
  json::array calls;
  for (const auto& [number, call] : in_flight_)
    calls.push_back(json::object{{"run", static_cast<std::uint64_t>(call->step.run)},
                                 {"step", call->step.path},
                                 {"callable", call->callable->name},
                                 {"attempt", call->step.attempt}});
  crash_report_ = json::object{{"at", base::format_instant(base::now())},
                               {"end", exit.text()},
                               {"cause", cause},
                               {"peak_memory", exit.peak_memory},
                               {"calls", std::move(calls)}};
  const bool shot = exit.by_signal && exit.code == SIGKILL && ending_reason_.empty() && !used_up;
  const bool refused = !opened_ && !exit.by_signal;
  if (shot || blameless_ || refused) return;
  const base::Tick now = base::tick();
  recent_crashes_.push_back(now);
  while (!recent_crashes_.empty() && recent_crashes_.front() + settings_.crash_window <= now)
    recent_crashes_.pop_front();
}

std::string Host::used_up_text(const process::Exit& exit) const {
  const std::chrono::seconds cpu_time(granted_.grants.cpu_seconds);
  if (cpu_time.count() > 0 && exit.cpu_time >= cpu_time)
    return ", having used up the " + base::format_duration(cpu_time) + " of CPU time it is granted";
  const std::uint64_t limit = granted_.grants.memory;
  if (process_ && process_->out_of_memory())
    return ", because its processes had used up the " + std::to_string(limit >> 20) + " MiB of memory it is granted";
  if (limit == 0 || static_cast<double>(exit.peak_memory) < kNearLimit * static_cast<double>(limit)) return {};
  return ", with " + std::to_string(exit.peak_memory >> 20) + " MiB of memory in use; it is granted " +
         std::to_string(limit >> 20) + " MiB";
}

std::string Host::quarantine_text() const {
  return "the plugin " + plugin_->manifest.id + " is in quarantine after " + std::to_string(settings_.crashes_max) +
         " crashes within " + base::format_duration(settings_.crash_window) + "; `godwit plugin reset " +
         plugin_->manifest.id + "` starts it again. The last one: " + last_cause_;
}

void Host::on_load_failure(const std::string& why) {
  load_failure_ = why;
  last_cause_ = why;
  back_off(false);
  if (state_ == State::backoff) fail_queue("plugin_unusable", why);
}

void Host::lose_calls(const std::string& cause) {
  const base::Tick now = base::tick();
  // Who is blameless leaves next to nothing of the blame to its calls.
  constexpr int kMany = 1000;
  const int together = blameless_ ? kMany : static_cast<int>(in_flight_.size());
  while (!in_flight_.empty()) {
    Call& call = *in_flight_.begin()->second;
    if (call.ending == Call::Ending::cancelled) {
      finish(call, engine::StepCancelled{});
    } else if (call.ending == Call::Ending::deadline) {
      finish(call, timed_out(call, call.kill_at <= now ? ", nor when it was told to; its process was killed"
                                                       : "; its process ended meanwhile"));
    } else {
      finish(call, engine::StepLost{{"crashed", cause, call.callable->retry_safe, {}}, together});
    }
  }
}

void Host::fail_queue(std::string code, const std::string& why) {
  while (!queue_.empty()) finish(*queue_.begin()->second, engine::StepFailed{{code, why, false, {}}});
}

void Host::back_off(bool was_healthy) {
  if (recent_crashes_.size() >= static_cast<std::size_t>(settings_.crashes_max)) {
    state_ = State::quarantine;
    quarantine_.add({plugin_->manifest.id, plugin_->file.sha256(), last_cause_, crash_report_});
    base::log::error("{}", quarantine_text());
    return pump_soon();
  }
  if (was_healthy) backoff_ = settings_.backoff_first;
  state_ = State::backoff;
  set_state_timer(backoff_, &Host::on_backoff_over);
  backoff_ = std::min(settings_.backoff_max, backoff_ * 2);
}

void Host::on_backoff_over() {
  served_ = false;
  state_ = State::idle;
  load_failure_.clear();
  pump_soon();
}

bool Host::end_if_done() {
  if (state_ != State::ready || !idle()) return false;
  state_ = State::ending;
  said_bye_ = true;
  process_->write([](std::string& out) { wire::append_message(out, HostMessage::bye, 0, 0, 0, {}); });
  if (!draining_) set_state_timer(kEndAfterBye, &Host::on_still_alive);
  return true;
}

void Host::set_retired(bool retired) {
  retired_ = retired;
  if (retired_) end_if_done();
}

bool Host::reset() {
  recent_crashes_.clear();
  crashed_loads_ = 0;
  backoff_ = settings_.backoff_first;
  if (state_ != State::quarantine && state_ != State::backoff) return false;
  state_timer_.cancel();
  on_backoff_over();
  return true;
}

void Host::drain() {
  draining_ = true;
  if (state_ == State::starting) kill("godwitd stops");
  pump_soon();
}

std::string_view Host::name(State state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

json::object Host::status() const {
  return {{"plugin", plugin_->manifest.id},
          {"version", plugin_->manifest.version},
          {"state", name(state_)},
          {"pid", process_ ? json::value(process_->pid()) : json::value()},
          {"in_flight", in_flight_.size()},
          {"queued", queue_.size()},
          {"concurrency", plugin_->manifest.concurrency},
          {"starts", starts_},
          {"calls", calls_},
          {"crashes", crashes_},
          {"last_cause", last_cause_},
          {"last_crash", crash_report_},
          {"retired", retired_},
          {"sandbox", sandbox_}};
}

}  // namespace godwit::host_pool
