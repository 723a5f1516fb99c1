#pragma once
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "host_pool/host_pool.hpp"

namespace godwit::support {

// One call as its listener saw it.
class Listener : public engine::StepListener {
 public:
  std::vector<std::pair<std::string, std::int64_t>> costs;
  std::vector<model::Quota> quotas;
  void started() override { ++starts; }
  void progress(std::uint64_t done, std::uint64_t total, std::string fields) override {
    progresses.push_back({done, total, std::move(fields)});
  }
  void log(engine::LogLevel, std::string text, std::string fields, std::string_view stream) override {
    log_size += text.size();
    if (lines.size() < 1000) lines.push_back(std::string(stream) + "|" + text + "|" + fields);
    last_line = std::move(text);
  }
  void checkpoint_put(std::string key, std::string value, std::function<void(bool)> stored) override {
    const bool store = checkpoints.size() < checkpoints_max;
    if (store) checkpoints[key] = value;
    stored(store);
    if (on_checkpoint) on_checkpoint(value);
  }
  void checkpoint_get(std::string key, std::function<void(std::optional<std::string>)> value) override {
    const auto found = checkpoints.find(key);
    value(found == checkpoints.end() ? std::nullopt : std::optional(found->second));
  }
  void artifact(engine::Artifact artifact, std::function<void(bool)> recorded) override {
    artifacts.push_back(std::move(artifact));
    recorded(true);
  }
  void cost(std::string limit, std::int64_t tokens) override { costs.emplace_back(std::move(limit), tokens); }
  void quota(std::string, model::Quota quota) override { quotas.push_back(quota); }
  void finished(engine::StepOutcome end) override {
    CHECK_FALSE(outcome);
    outcome = std::move(end);
    if (on_finished) on_finished();
  }

  bool has_line(const std::string& part) const {
    for (const auto& line : lines)
      if (line.find(part) != std::string::npos) return true;
    return false;
  }

  struct Progress {
    std::uint64_t done;
    std::uint64_t total;
    std::string fields;
  };
  int starts = 0;
  std::vector<Progress> progresses;
  std::vector<std::string> lines;
  std::string last_line;
  std::size_t log_size = 0;
  std::map<std::string, std::string> checkpoints;
  std::size_t checkpoints_max = 1000;
  std::vector<engine::Artifact> artifacts;
  std::function<void(const std::string&)> on_checkpoint;
  std::function<void()> on_finished;
  std::optional<engine::StepOutcome> outcome;
};

inline std::size_t open_fds() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

// Settings without quarantine.
inline host_pool::HostSettings lenient() {
  host_pool::HostSettings settings;
  settings.crashes_max = 1'000'000;
  return settings;
}

// Settings in which one unit of one plugin has a configuration, and the plugin may write below `directory`.
inline host_pool::HostSettings configured(const std::string& plugin, const std::string& unit, base::json::object values,
                                          const std::string& directory = {}) {
  host_pool::HostSettings settings = lenient();
  settings.plugins[plugin].units[unit] = std::move(values);
  if (!directory.empty()) settings.plugins[plugin].grants.files.write = {directory};
  return settings;
}

// A pool on real host processes and the plugins made for tests. The times are short so that no test waits for them.
class PoolWorld {
 public:
  explicit PoolWorld(host_pool::HostSettings settings = lenient(),
                     std::vector<std::string> directories = {GODWIT_BINARY_DIR "/test-plugins"})
      : catalog_(directories, {}),
        pool_(std::make_unique<host_pool::HostPool>(context_, catalog_, quick(std::move(settings)))) {}

  Listener& listener() { return listeners_.emplace_back(); }
  Listener& start(const std::string& uses, std::string input = "{}", base::Duration timeout = {}) {
    Listener& listener = listeners_.emplace_back();
    begin(listener, uses, std::move(input), timeout);
    return listener;
  }
  std::uint64_t begin(Listener& listener, const std::string& uses, std::string input, base::Duration timeout = {},
                      int attempt = 1) {
    return begin(listener, pool_->resolve(uses), std::move(input), timeout, attempt);
  }
  std::uint64_t begin(Listener& listener, std::shared_ptr<const engine::Callable> callable, std::string input,
                      base::Duration timeout = {}, int attempt = 1) {
    engine::StepCall call;
    call.path = "step[" + std::to_string(listeners_.size()) + "]";
    call.idempotency_key = "7/" + call.path;
    call.input = std::move(input);
    call.timeout = timeout;
    call.attempt = attempt;
    call.may_repeat = callable->retry_safe;
    return last_ = pool_->start(std::move(callable), std::move(call), listener);
  }

  // Runs the loop until it is so; a minute is far more than anything here takes.
  void run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    context_.restart();
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < limit);
      context_.run_one_for(std::chrono::milliseconds(100));
      if (context_.stopped()) context_.restart();
    }
  }
  const engine::StepOutcome& wait(Listener& listener) {
    run_until([&] { return listener.outcome.has_value(); });
    return *listener.outcome;
  }
  std::string output(Listener& listener) {
    const auto& outcome = wait(listener);
    if (const auto* failed = std::get_if<engine::StepFailed>(&outcome))
      return "failed: " + failed->failure.code + ": " + failed->failure.message;
    if (const auto* lost = std::get_if<engine::StepLost>(&outcome))
      return "lost: " + lost->failure.code + ": " + lost->failure.message;
    if (const auto* success = std::get_if<engine::StepSucceeded>(&outcome)) return success->output;
    return "cancelled";
  }
  model::Failure failure(Listener& listener) {
    const auto& outcome = wait(listener);
    REQUIRE(std::holds_alternative<engine::StepFailed>(outcome));
    return std::get<engine::StepFailed>(outcome).failure;
  }
  base::json::object status(const std::string& plugin) const {
    for (const auto& host : pool_->status())
      if (std::string_view(host.at("plugin").as_string()) == plugin) return host.as_object();
    return {};
  }
  void stop() {
    bool stopped = false;
    pool_->stop(std::chrono::seconds(5), [&] { stopped = true; });
    run_until([&] { return stopped; });
  }

  host_pool::HostPool& pool() { return *pool_; }
  host_pool::PluginCatalog& catalog() { return catalog_; }
  std::uint64_t last() const { return last_; }
  void destroy_pool() { pool_.reset(); }
  void run_ready() {
    context_.restart();
    context_.poll();
  }

 private:
  static host_pool::HostSettings quick(host_pool::HostSettings settings) {
    settings.program = GODWIT_BINARY_DIR "/bin/godwit-host";
    settings.extensions.egress_program = GODWIT_BINARY_DIR "/bin/godwit-egress";
    settings.backoff_first = std::chrono::milliseconds(10);
    return settings;
  }

  boost::asio::io_context context_{1};
  host_pool::PluginCatalog catalog_;
  std::deque<Listener> listeners_;
  std::unique_ptr<host_pool::HostPool> pool_;
  std::uint64_t last_ = 0;
};

}  // namespace godwit::support
