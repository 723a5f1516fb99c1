#include "host/script_server.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <thread>

#include "base/json_text.hpp"

namespace godwit::host {
namespace {

using wire::ScriptMessage;

constexpr auto kWatchInterval = std::chrono::milliseconds(100);
// Beyond its budget: the hook ends a script that runs Lua, this is for what does not.
constexpr std::int64_t kGraceNs = 1'000'000'000;
// Outputs are sent in parts of about this size.
constexpr std::size_t kPartSize = 4u << 20;

// What the signal leaves behind: where the script stands, one line for each of its functions.
struct Trace {
  char text[2048];
  std::atomic<std::size_t> size{0};
  std::atomic<bool> ready{false};
};
Trace g_trace;

// On the script's own thread, inside of a C function that Lua called: the chain of calls stands still. Nothing is
// allocated, and the process ends afterwards.
void write_trace(int) {
  lua_State* lua = script::State::running_thread();
  std::size_t size = 0;
  lua_Debug frame;
  for (int level = 0; lua && level < 40 && lua_getstack(lua, level, &frame); ++level) {
    lua_getinfo(lua, "Sl", &frame);
    if (std::strcmp(frame.what, "C") == 0 || frame.currentline <= 0) continue;
    const int more =
        std::snprintf(g_trace.text + size, sizeof g_trace.text - size, "\n  %s:%d", frame.short_src, frame.currentline);
    if (more < 0 || size + static_cast<std::size_t>(more) >= sizeof g_trace.text) break;
    size += static_cast<std::size_t>(more);
  }
  g_trace.size = size;
  g_trace.ready = true;
}

std::size_t weight(const model::script::Note& note) {
  std::size_t sum = note.output.size() + 256;
  for (const auto& row : note.rows) sum += row.row.size() + 64;
  return sum;
}
std::size_t weight(const model::script::Request& request) {
  return request.input.size() + request.options.size() + 512;
}

}  // namespace

ScriptServer::ScriptServer(base::UniqueFd socket) : channel_(std::move(socket)) {}

void ScriptServer::serve() {
  script_thread_ = pthread_self();
  struct sigaction action {};
  action.sa_handler = write_trace;
  sigaction(SIGUSR1, &action, nullptr);
  std::thread([this] {
    const auto on_batch = [this] {
      changed_.notify_one();
      return Channel::Next::wait;
    };
    channel_.serve({[this](const wire::Frame& frame) { on_frame(frame); }, on_batch, [] {}});
  }).detach();
  std::thread([this] { watch(); }).detach();
  while (true) {
    Message message;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !queue_.empty(); });
      message = std::move(queue_.front());
      queue_.pop_front();
    }
    running_ = message.machine;
    script::State::forget_stretch();
    busy_ = true;
    handle(message);
    busy_ = false;
  }
}

void ScriptServer::on_frame(const wire::Frame& frame) {
  if (static_cast<wire::HostMessage>(frame.type) == wire::HostMessage::ping) {
    channel_.write([&](std::string& out) { wire::append_message(out, wire::HostMessage::pong, 0, frame.tag, 0, {}); },
                   Channel::Flush::soon);
    return;
  }
  if (static_cast<wire::HostMessage>(frame.type) == wire::HostMessage::bye) {
    channel_.drain();
    ::_exit(0);
  }
  Message message{static_cast<ScriptMessage>(frame.type), frame.call, frame.tag, {}};
  for (std::size_t i = 0; i < frame.blob_count; ++i) message.blobs.emplace_back(frame.blobs[i]);
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(message));
}

void ScriptServer::handle(const Message& message) {
  const auto blob = [&](std::size_t index) -> std::string_view {
    if (index >= message.blobs.size()) throw base::refused("malformed message: a part is missing");
    return message.blobs[index];
  };
  if (message.type == ScriptMessage::read) return read(message);
  if (message.type == ScriptMessage::open) return open(message);
  const auto found = machines_.find(message.machine);
  if (found == machines_.end()) return;  // it has ended meanwhile
  Machine& machine = *found->second;
  allowed_ns_ = std::chrono::nanoseconds(machine.budget.cpu).count();
  switch (message.type) {
    case ScriptMessage::record:
      wire::unpack(blob(0), machine.recorded);
      return;
    case ScriptMessage::go:
      return go(message.machine, machine);
    case ScriptMessage::answer: {
      model::script::Outcome outcome;
      wire::unpack(blob(0), outcome);
      if (!machine.execution) return;
      machine.execution->answer(message.tag, std::move(outcome));
      return send(message.machine, machine);
    }
    case ScriptMessage::drop:
      return forget(message.machine);
    default:
      throw base::refused("unknown message from the daemon");
  }
}

// Reads a script for what it says of itself; its run stays out of memory.
void ScriptServer::read(const Message& message) {
  std::string answer;
  std::uint8_t flags = 0;
  model::script::Budget budget;
  budget.memory = 64u << 20;
  budget.cpu = std::chrono::seconds(1);
  allowed_ns_ = std::chrono::nanoseconds(budget.cpu).count();
  try {
    const auto bundle = model::ScriptBundle::parse(message.blobs.at(0));
    if (!bundle) throw base::refused("this is no script");
    answer = base::canonical(script::Execution(*bundle, budget).header());
  } catch (const base::Error& error) {
    flags = 1;
    base::json::array problems;
    for (const auto& problem : error.problems())
      problems.push_back(base::json::object{
          {"what", problem.what}, {"file", problem.place.file}, {"line", problem.place.line}, {"hint", problem.hint}});
    answer = base::serialize(problems);
  }
  channel_.write(
      [&](std::string& out) { wire::append_message(out, ScriptMessage::header, message.machine, 0, flags, {answer}); },
      Channel::Flush::now);
}

void ScriptServer::open(const Message& message) {
  auto machine = std::make_unique<Machine>();
  wire::unpack(message.blobs.at(0), machine->budget);
  auto bundle = model::ScriptBundle::parse(message.blobs.at(1));
  if (!bundle) throw base::refused("malformed message: no script");
  machine->bundle = std::move(*bundle);
  wire::unpack(message.blobs.at(2), machine->facts);
  machines_[message.machine] = std::move(machine);
}

void ScriptServer::go(std::uint64_t number, Machine& machine) {
  try {
    machine.execution = std::make_unique<script::Execution>(machine.bundle, machine.budget);
  } catch (const base::Error& error) {
    return end_with_failure(number, {"script", error.what(), false, {}});
  }
  for (auto& step : machine.recorded) machine.execution->recorded(std::move(step));
  machine.recorded = {};
  machine.execution->start(std::move(machine.facts));
  send(number, machine);
}

void ScriptServer::end_with_failure(std::uint64_t number, model::Failure failure) {
  model::script::Output output;
  output.end.emplace();
  output.end->kind = model::script::End::Kind::failed;
  output.end->failure = std::move(failure);
  const std::string bytes = wire::pack(output);
  channel_.write([&](std::string& out) { wire::append_message(out, ScriptMessage::output, number, 0, 0, {bytes}); },
                 Channel::Flush::now);
  forget(number);
}

void ScriptServer::forget(std::uint64_t number) {
  machines_.erase(number);
  heap_.left(machines_.empty());
}

// In parts, notes before the requests that came after them, the end last.
void ScriptServer::send(std::uint64_t number, Machine& machine) {
  model::script::Output rest = machine.execution->take_output();
  const bool ended = rest.end.has_value();
  std::size_t notes = 0, requests = 0;
  do {
    model::script::Output part;
    std::size_t size = 0;
    for (; notes < rest.notes.size() && size < kPartSize; ++notes) {
      size += weight(rest.notes[notes]);
      part.notes.push_back(std::move(rest.notes[notes]));
    }
    for (; notes == rest.notes.size() && requests < rest.requests.size() && size < kPartSize; ++requests) {
      size += weight(rest.requests[requests]);
      part.requests.push_back(std::move(rest.requests[requests]));
    }
    if (notes == rest.notes.size() && requests == rest.requests.size()) {
      part.cancelled = std::move(rest.cancelled);
      part.released = std::move(rest.released);
      part.logs = std::move(rest.logs);
      part.progress = std::move(rest.progress);
      part.loops = std::move(rest.loops);
      part.end = std::move(rest.end);
    }
    part.more = notes < rest.notes.size() || requests < rest.requests.size();
    const std::string bytes = wire::pack(part);
    channel_.write([&](std::string& out) { wire::append_message(out, ScriptMessage::output, number, 0, 0, {bytes}); },
                   Channel::Flush::now);
  } while (notes < rest.notes.size() || requests < rest.requests.size());
  if (ended) forget(number);
}

// --- the watchdog

void ScriptServer::watch() {
  clockid_t clock = 0;
  pthread_getcpuclockid(script_thread_, &clock);
  while (true) {
    std::this_thread::sleep_for(kWatchInterval);
    if (!busy_) continue;
    const std::int64_t began = script::State::newest_stretch();
    if (began == 0) continue;
    timespec now{};
    clock_gettime(clock, &now);
    const std::int64_t used = static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec - began;
    if (used < allowed_ns_ + kGraceNs || began != script::State::newest_stretch()) continue;
    pthread_kill(script_thread_, SIGUSR1);
    for (int i = 0; i < 2'000 && !g_trace.ready; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    give_up(g_trace.ready ? std::string(g_trace.text, g_trace.size) : std::string());
  }
}

void ScriptServer::give_up(const std::string& trace) {
  const std::string message =
      "it was inside one function for longer than " +
      base::format_duration(std::chrono::duration_cast<base::Duration>(std::chrono::nanoseconds(allowed_ns_.load()))) +
      " of CPU time, where nothing else can stop it (a pattern that backtracks without end?)" + trace;
  channel_.write(
      [&](std::string& out) {
        wire::append_message(out, ScriptMessage::guilty, running_, 0, 0, {"cpu", message});
      },
      Channel::Flush::now);
  channel_.drain();
  std::fputs("godwit-host: a script did not stop; its process ends\n", stderr);
  ::_exit(3);
}

}  // namespace godwit::host
