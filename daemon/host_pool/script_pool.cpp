#include "host_pool/script_pool.hpp"

#include <boost/asio/post.hpp>

#include "base/log.hpp"

namespace godwit::host_pool {

namespace asio = boost::asio;
namespace json = base::json;
using wire::ScriptMessage;

namespace {

// Recorded steps go over in parts of about this size.
constexpr std::size_t kPartSize = 4u << 20;

}  // namespace

// One process of scripts; started when it is first needed, and again after its end.
class ScriptPool::Shard : public HostProcess::Events {
 public:
  Shard(ScriptPool& pool, std::size_t number) : pool_(pool), number_(number), timer_(pool.context_) {}
  ~Shard() override {
    if (process_) process_->detach();
  }

  // Throws base::Error when no process can be started.
  HostProcess& process() {
    if (!process_) {
      process_ = HostProcess::start(pool_.context_, {pool_.settings_.program, {"--scripts"}, {}}, *this);
      ++starts_;
      guilty_ = 0;
      pings_ = pongs_ = 0;
      ping();
    }
    return *process_;
  }
  bool running() const { return process_ != nullptr; }
  void kill() {
    timer_.cancel();
    if (process_) process_->detach();
    process_.reset();
  }

  void on_frame(const wire::Frame& frame) override {
    if (static_cast<wire::HostMessage>(frame.type) == wire::HostMessage::pong) {
      pongs_ = frame.tag;
      return;
    }
    if (static_cast<ScriptMessage>(frame.type) == ScriptMessage::guilty) {
      wire::expect_blobs(frame, 2);
      guilty_ = frame.call;
      cause_ = model::Failure{std::string(frame.blobs[0]), std::string(frame.blobs[1]), false, {}};
      return;
    }
    if (static_cast<ScriptMessage>(frame.type) != ScriptMessage::output)
      throw base::refused("unknown message " + std::to_string(frame.type) + " from a host of scripts");
    wire::expect_blobs(frame, 1);
    model::script::Output output;
    wire::unpack(frame.blobs[0], output);
    const auto found = pool_.machines_.find(frame.call);
    if (found == pool_.machines_.end()) return;  // dropped meanwhile
    engine::ScriptListener& listener = *found->second.listener;
    if (output.end) pool_.machines_.erase(found);
    listener.output(std::move(output));
  }
  void on_line(std::string_view line, std::string_view) override { base::log::info("scripts {}: {}", number_, line); }
  void on_broken(const std::string& why) override {
    base::log::warning("host of scripts {}: {}", number_, why);
    process_->kill();
  }
  void on_closed() override { process_->kill(); }
  void on_ended(const process::Exit& exit) override {
    timer_.cancel();
    process_->detach();
    process_.reset();
    if (guilty_ == 0) cause_ = {"host_lost", "the process of the script ended with " + exit.text(), true, {}};
    base::log::warning("host of scripts {} ended with {}; its scripts are taken up again", number_, exit.text());
    std::vector<std::pair<std::uint64_t, engine::ScriptListener*>> lost;
    for (const auto& [number, machine] : pool_.machines_)
      if (machine.shard == this) lost.emplace_back(number, machine.listener);
    for (const auto& [number, listener] : lost) pool_.machines_.erase(number);
    const model::Failure cause = cause_;
    for (const auto& [number, listener] : lost) listener->lost(cause, number == guilty_);
  }

  json::object status() const {
    json::object result{{"number", number_}, {"running", running()}, {"starts", starts_}};
    if (process_) result["pid"] = process_->pid();
    std::size_t machines = 0;
    for (const auto& [number, machine] : pool_.machines_) machines += machine.shard == this ? 1 : 0;
    result["scripts"] = machines;
    return result;
  }

 private:
  void ping() {
    timer_.expires_after(pool_.settings_.ping_interval);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || !process_) return;
      if (pings_ - pongs_ > static_cast<std::uint32_t>(pool_.settings_.missed_pongs_max)) {
        base::log::warning("host of scripts {} does not answer; it is killed", number_);
        return process_->kill();
      }
      process_->write(
          [&](std::string& out) { wire::append_message(out, wire::HostMessage::ping, 0, ++pings_, 0, {}); });
      ping();
    });
  }

  ScriptPool& pool_;
  std::size_t number_;
  asio::steady_timer timer_;
  std::shared_ptr<HostProcess> process_;
  std::uint64_t starts_ = 0;
  std::uint64_t guilty_ = 0;
  model::Failure cause_;
  std::uint32_t pings_ = 0;
  std::uint32_t pongs_ = 0;
};

ScriptPool::ScriptPool(asio::io_context& context, ScriptPoolSettings settings)
    : context_(context), settings_(std::move(settings)) {
  for (std::size_t i = 0; i < settings_.processes; ++i) shards_.push_back(std::make_unique<Shard>(*this, i));
}

ScriptPool::~ScriptPool() = default;

ScriptPool::Shard& ScriptPool::shard_for(std::uint64_t machine) {
  return *shards_[machine % shards_.size()];
}

std::uint64_t ScriptPool::start(engine::ScriptStart start, engine::ScriptListener& listener) {
  const std::uint64_t number = ++last_;
  Shard& shard = shard_for(number);
  machines_[number] = {&shard, &listener};
  try {
    HostProcess& process = shard.process();
    const std::string budget = wire::pack(start.budget);
    const std::string facts = wire::pack(start.facts);
    process.write([&](std::string& out) {
      wire::append_message(out, ScriptMessage::open, number, 0, 0, {budget, *start.bundle, facts});
    });
    std::vector<model::script::RecordedStep> part;
    std::size_t size = 0;
    const auto send = [&] {
      if (part.empty()) return;
      const std::string bytes = wire::pack(part);
      process.write([&](std::string& out) { wire::append_message(out, ScriptMessage::record, number, 0, 0, {bytes}); });
      part.clear();
      size = 0;
    };
    for (auto& step : start.recorded) {
      size += step.output.size() + step.path.size() + 128;
      part.push_back(std::move(step));
      if (size > kPartSize) send();
    }
    send();
    process.write([&](std::string& out) { wire::append_message(out, ScriptMessage::go, number, 0, 0, {}); });
  } catch (const base::Error& error) {
    const model::Failure failure{"no_host", error.what(), false, {}};
    asio::post(context_, [this, alive = std::weak_ptr(alive_), number, failure] {
      if (alive.expired()) return;
      const auto found = machines_.find(number);
      if (found == machines_.end()) return;
      engine::ScriptListener& waiting = *found->second.listener;
      machines_.erase(found);
      waiting.lost(failure, true);
    });
  }
  return number;
}

void ScriptPool::answer(std::uint64_t machine, std::uint64_t request, model::script::Outcome outcome) {
  const auto found = machines_.find(machine);
  if (found == machines_.end() || !found->second.shard->running()) return;
  const std::string bytes = wire::pack(outcome);
  found->second.shard->process().write([&](std::string& out) {
    wire::append_message(out, ScriptMessage::answer, machine, static_cast<std::uint32_t>(request), 0, {bytes});
  });
}

void ScriptPool::drop(std::uint64_t machine) {
  const auto found = machines_.find(machine);
  if (found == machines_.end()) return;
  Shard& shard = *found->second.shard;
  machines_.erase(found);
  if (shard.running())
    shard.process().write([&](std::string& out) { wire::append_message(out, ScriptMessage::drop, machine, 0, 0, {}); });
}

void ScriptPool::stop() {
  machines_.clear();
  for (const auto& shard : shards_) shard->kill();
}

json::array ScriptPool::status() const {
  json::array result;
  for (const auto& shard : shards_) result.push_back(shard->status());
  return result;
}

}  // namespace godwit::host_pool
