#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "engine/engine.hpp"
#include "lab/memory_store.hpp"
#include "lab/virtual_clock.hpp"
#include "support/scripted_runner.hpp"
#include "support/temp_dir.hpp"

namespace godwit::support {

using lab::Memory;
using lab::MemoryStore;

// An engine in a world of which every part can be stepped: what a test sets is what matters to it, the rest has
// defaults. The memory outlives crash(), as a database does.
class EngineWorld {
 public:
  explicit EngineWorld(engine::EngineSettings given = {}) : settings(std::move(given)), library_({jobs_.path()}) {
    start();
  }

  engine::EngineSettings settings;
  Memory memory;
  lab::VirtualClock clock;
  std::unique_ptr<MemoryStore> store;
  std::unique_ptr<ScriptedRunner> runner;
  std::unique_ptr<engine::Engine> engine;
  std::map<std::string, ScriptedRunner::Plugin> plugins;
  bool ready = false;
  bool fenced = false;

  // A new life on the old memory.
  void start() {
    store = std::make_unique<MemoryStore>(memory, clock);
    runner = std::make_unique<ScriptedRunner>(clock);
    runner->plugins = plugins;
    engine = std::make_unique<engine::Engine>(settings, *store, *runner, clock, library_, [this] { fenced = true; });
    ready = false;
    engine->start([this] { ready = true; });
    clock.run_posted();
  }
  void plugin(const std::string& name, ScriptedRunner::Plugin plugin) {
    plugins[name] = plugin;
    runner->plugins[name] = std::move(plugin);
  }
  void crash(std::mt19937_64& random) {
    store->crash(random);
    clock.forget();
    engine.reset();
  }

  // Puts a job into the library.
  void job(const std::string& name, const std::string& yaml) {
    std::ofstream(jobs_.path() / (name + ".yaml")) << yaml;
    if (const auto report = library_.reload(); !report.problems.empty())
      throw std::runtime_error(report.problems.front().text());
  }
  jobfile::Library& library() { return library_; }

  // Submits a job's text and gives its run; fails the test when it is refused.
  model::RunId submit(const std::string& yaml, base::json::object params = {}, std::string key = {}) {
    model::RunId run{};
    std::string error;
    engine->submit({.text = yaml, .file = "test.yaml", .params = std::move(params), .key = std::move(key)}, {},
                   [&](engine::Result<engine::SubmitReceipt> receipt) {
                     if (receipt)
                       run = receipt->run;
                     else
                       error = receipt.error().what();
                   });
    clock.run_posted();
    if (!error.empty()) throw std::runtime_error(error);
    return run;
  }
  // Lets everything happen that can happen without an end to the test's patience.
  void run_to_end(std::size_t steps = 1'000'000) {
    clock.run_posted();
    while (steps-- > 0 && clock.next_timer()) clock.run_posted();
  }
  const Memory::Run& run(model::RunId id) const { return memory.runs.at(id); }
  std::string result(model::RunId id) const {
    const auto& done = memory.runs.at(id).done;
    if (!done) return "not ended";
    return done->failure
               ? std::string(model::name(done->state)) + " " + done->failure->code + ": " + done->failure->message
               : done->result;
  }
  // How many runs have ended.
  std::size_t done() const {
    return static_cast<std::size_t>(
        std::count_if(memory.runs.begin(), memory.runs.end(), [](const auto& run) { return run.second.done; }));
  }
  // The queue as people see it; empty when there is none.
  base::json::object queue(const std::string& name) const {
    for (const auto& queue : engine->queues())
      if (queue.at("queue").as_string() == name) return queue.as_object();
    return {};
  }

 private:
  TempDir jobs_;
  jobfile::Library library_;
};

}  // namespace godwit::support
