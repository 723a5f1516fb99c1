#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "lab/local_scripts.hpp"
#include "lab/memory_store.hpp"
#include "lab/mock_runner.hpp"
#include "lab/virtual_clock.hpp"

namespace godwit::lab {

// What a run came to.
struct Outcome {
  Memory memory;
  model::RunId run{};
  std::string state;
  std::string why;  // what it waits for, when it has not ended; why it was refused
  std::vector<SentCall> calls;
  std::vector<std::string> faults;
  base::Duration took{};      // of the job's time
  std::size_t groups = 0;     // how many groups of facts were stored
  std::size_t unblocked = 0;  // how often a call of unknown outcome was let go on, as a person would
};

// One run of a job from its submit to where it ends or waits for somebody: the real engine on a memory store and a
// virtual clock. With a death, the engine is thrown away at that point and a new one goes on with what was stored.
class Story {
 public:
  struct Setting {
    const TestFile& file;
    const Test& test;
    std::string job_file;
    std::string job_text;
    jobfile::Library& library;  // of the jobs it may call
    const host_pool::PluginCatalog& catalog;
    RealCalls& real;
    std::map<std::string, model::LimitSpec> limits;
  };
  // A `seed` other than 0 changes what nobody may rely on: the order of what happens at the same time, and the jitter
  // of backoffs.
  Story(const Setting& setting, std::uint64_t seed, std::optional<MemoryStore::Death> death = {});

  Outcome play();

 private:
  void begin_life();
  void end_life();
  void submit();
  bool step();
  bool fire_event();
  void fire(std::size_t number);
  void tell(const Event& event, engine::Answer<engine::Nothing> answered);
  bool answer_as_recorded();
  bool unblock();
  bool ended() const;
  model::RunId last_run() const;
  void look(Outcome& outcome);

  const Setting& setting_;
  std::uint64_t seed_;
  std::optional<MemoryStore::Death> death_;
  Memory memory_;
  CallLog log_;
  VirtualClock clock_;
  expression::Language language_;
  std::unique_ptr<MemoryStore> store_;
  std::unique_ptr<MockRunner> runner_;
  std::unique_ptr<LocalScripts> scripts_;
  std::unique_ptr<engine::Engine> engine_;
  std::optional<model::RunId> run_;
  std::optional<base::Error> refused_;
  enum class Told { no, asked, yes };
  std::vector<Told> events_;  // by their place in the test
  std::set<std::string> answered_;  // the steps for which, in this life, it was looked what the recorded run has
  std::size_t audited_ = 0;   // what the audit had when the last event was told
  std::size_t lives_ = 0;
  std::size_t unblocked_ = 0;
};

}  // namespace godwit::lab
