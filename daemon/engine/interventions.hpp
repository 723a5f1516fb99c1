#pragma once
#include <string>

#include "engine/engine.hpp"
#include "engine/intake.hpp"
#include "engine/job_cache.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {

// What people do to runs. Each change is stored, with its line in the audit table, before it has an effect.
class Interventions {
 public:
  struct Parts {
    Store& store;
    Clock& clock;
    Limits& limits;
    Queues& queues;
    Breakers& breakers;
    JobCache& jobs;
    Runner& runner;
    Intake& intake;
    std::function<void()> tell_others;  // nodes: what all share was changed
    std::function<void()> mailed;       // there is mail in the store, perhaps for this node
  };
  explicit Interventions(Parts parts) : parts_(parts) {}

  void cancel(model::RunId run, Caller caller, Answer<Nothing> answer);
  // What a run leaves behind ends with it; that this was asked for is stored already.
  void cancel_child(model::RunId child, model::RunId parent);
  // Ends a run of this node that waits in the store, if the store says that it is to be cancelled.
  void cancel_waiting(model::RunId run, std::function<void()> done);
  void pause(model::RunId run, Caller caller, Answer<Nothing> answer);
  void resume(model::RunId run, Caller caller, Answer<Nothing> answer);
  void retry(model::RunId run, Engine::Retry how, Caller caller, Answer<model::RunId> answer);
  void signal(model::RunId run, std::string name, std::string payload, Caller caller, Answer<Nothing> answer);
  void approve(model::RunId run, Engine::Decision decision, Caller caller, Answer<Nothing> answer);
  void set_limit(std::string name, std::optional<model::LimitSpec> spec, Caller caller, Answer<Nothing> answer);
  void pause_queue(std::string name, bool paused, Caller caller, Answer<Nothing> answer);
  void why(model::RunId run, Answer<base::json::object> answer);
  // How many limits and queues were changed here: who reads them from the store sees by it that he may have read too
  // early.
  std::uint64_t changes() const { return changes_; }

 private:
  static base::Error verdict_error(const Verdict& verdict);
  Audited audit(const Caller& caller, std::string command, std::string target, base::json::object detail = {}) const;
  // Appends the change and its audit line; `effect` comes after the commit, with the run if it is in memory then.
  void change(model::RunId run, RunChange change, const Caller& caller, std::string command,
              std::function<void(ActiveRun*)> effect, Answer<Nothing> answer, std::vector<Fact> more = {});
  // Gives a run that is not in memory and has not ended, or answers why not.
  void load_waiting(model::RunId run, Answer<UnfinishedRun> answer);
  void cancel_active(model::RunId run, const Caller& caller, Answer<Nothing> answer);
  void cancel_stored(model::RunId run, const Caller& caller, Answer<Nothing> answer);
  // Lets a run that has begun wind itself up.
  void bring_to_end(model::RunId run, const Caller& caller, std::function<void()> done);
  void end_unloadable(model::RunId run, const Caller& caller);
  void end_stored(const UnfinishedRun& stored, const Caller& caller, std::vector<Fact> facts, Answer<Nothing> answer);
  void wind_up(ActiveRun& run, const std::string& who);
  void retry_active(const ActiveRun& run, const Engine::Retry& how, const Caller& caller, Answer<model::RunId> answer);
  void retry_stored(model::RunId run, Engine::Retry how, Caller caller, Answer<model::RunId> answer);
  // Answers with an error for a run that has ended, or is none.
  void check_waiting(model::RunId run, Answer<Nothing> answer);
  void send(model::RunId run, Signal signal, Audited audited, Answer<Nothing> answer);
  void store_continuation(Submitted anew, std::vector<Fact> steps, Audited audited, Answer<model::RunId> answer);
  void continue_anew(UnfinishedRun old, Engine::Retry how, Caller caller, Answer<model::RunId> answer);

  Parts parts_;
  std::uint64_t changes_ = 0;
};

}  // namespace godwit::engine
