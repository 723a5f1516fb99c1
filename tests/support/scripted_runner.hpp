#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/clock.hpp"
#include "engine/step_runner.hpp"

namespace godwit::support {

// A step runner whose plugins are functions of the test. Every call that is "sent" is written down.
class ScriptedRunner : public engine::StepRunner {
 public:
  struct Plugin {
    // Decides the outcome and how long it takes.
    std::function<engine::StepOutcome(const engine::StepCall&)> run;
    std::function<base::Duration(const engine::StepCall&)> takes;
    bool retry_safe = true;
    base::json::object schema;
    std::string version = "1.0.0";
  };

  explicit ScriptedRunner(engine::Clock& clock) : clock_(clock) {}

  std::map<std::string, Plugin> plugins;
  std::vector<engine::StepCall> sent;
  std::size_t in_flight_max = 0;  // the most that ever were in flight at once
  std::set<std::string> hold;     // paths whose calls never end until released
  std::size_t in_flight() const { return running_.size(); }

  std::shared_ptr<const engine::Callable> resolve(const std::string& uses) const override {
    const auto found = plugins.find(uses);
    if (found == plugins.end()) throw base::refused("no plugin gives '" + uses + "'");
    auto callable = std::make_shared<engine::Callable>();
    callable->name = callable->plugin = callable->unit = uses;
    callable->version = found->second.version;
    callable->retry_safe = found->second.retry_safe;
    callable->args_schema = found->second.schema;
    return callable;
  }

  std::uint64_t start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                      engine::StepListener& listener) override {
    const std::uint64_t number = ++last_;
    running_[number] = &listener;
    in_flight_max = std::max(in_flight_max, running_.size());
    sent.push_back(call);
    const Plugin& plugin = plugins.at(callable->name);
    const auto takes = plugin.takes ? plugin.takes(call) : base::Duration(0);
    clock_.post([this, number] {
      if (running_.contains(number)) running_[number]->started();
    });
    if (hold.contains(call.path)) return number;
    clock_.at(clock_.tick() + takes,
              [this, number, run = plugin.run, call = std::move(call)] { finish(number, run(call)); });
    return number;
  }
  void cancel(std::uint64_t number) override {
    clock_.post([this, number] { finish(number, engine::StepCancelled{}); });
  }

 private:
  void finish(std::uint64_t number, engine::StepOutcome outcome) {
    const auto found = running_.find(number);
    if (found == running_.end()) return;
    auto* listener = found->second;
    running_.erase(found);
    listener->finished(std::move(outcome));
  }

  engine::Clock& clock_;
  std::map<std::uint64_t, engine::StepListener*> running_;
  std::uint64_t last_ = 0;
};

inline engine::StepOutcome succeed(std::string output) {
  return engine::StepSucceeded{std::move(output), {}};
}
inline engine::StepOutcome fail(std::string code, bool retryable = false) {
  return engine::StepFailed{{std::move(code), "for the test", retryable, {}}};
}

}  // namespace godwit::support
