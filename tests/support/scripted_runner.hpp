#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lab/virtual_runner.hpp"

namespace godwit::support {

// A step runner whose plugins are functions of the test. Every call that is "sent" is written down.
class ScriptedRunner : public lab::VirtualRunner {
 public:
  struct Plugin {
    // Decides the outcome and how long it takes.
    std::function<engine::StepOutcome(const engine::StepCall&)> run;
    std::function<base::Duration(const engine::StepCall&)> takes;
    bool retry_safe = true;
    base::json::object schema;
    std::string version = "1.0.0";
  };

  using VirtualRunner::VirtualRunner;

  std::map<std::string, Plugin> plugins;
  std::vector<engine::StepCall> sent;
  std::size_t in_flight_max = 0;  // the most that ever were in flight at once
  std::set<std::string> hold;     // paths whose calls never end until released

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
  Installed installed() const override {
    Installed all;
    for (const auto& [name, plugin] : plugins) all.versions[name] = plugin.version;
    return all;
  }

 private:
  std::optional<base::Duration> takes(const engine::Callable& callable, const engine::StepCall& call) override {
    in_flight_max = std::max(in_flight_max, in_flight());
    sent.push_back(call);
    if (hold.contains(call.path)) return std::nullopt;
    const Plugin& plugin = plugins.at(callable.name);
    return plugin.takes ? plugin.takes(call) : base::Duration(0);
  }
  engine::StepOutcome outcome(const engine::Callable& callable, const engine::StepCall& call,
                              engine::StepListener&) override {
    return plugins.at(callable.name).run(call);
  }
};

inline engine::StepOutcome succeed(std::string output) {
  return engine::StepSucceeded{std::move(output), {}};
}
inline engine::StepOutcome fail(std::string code, bool retryable = false) {
  return engine::StepFailed{{std::move(code), "for the test", retryable, {}}};
}

}  // namespace godwit::support
