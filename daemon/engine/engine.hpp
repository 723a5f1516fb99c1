#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "engine/answer.hpp"
#include "engine/clock.hpp"
#include "engine/followers.hpp"
#include "engine/step_runner.hpp"
#include "engine/store.hpp"
#include "jobfile/library.hpp"
#include "model/breaker.hpp"
#include "model/limit.hpp"
#include "model/queue.hpp"
#include "model/run.hpp"

namespace godwit::engine {

class Cluster;
class Scheduler;
class Scripts;

// Who asks: taken from the socket's peer credentials, never from a message.
struct Caller {
  std::int64_t uid = 0;
  std::string name;
  std::vector<std::string> roles;  // the caller's role and those it includes
};

struct SubmitRequest {
  std::string job;   // the name of a job in the library, unless `text` is given
  std::string text;  // a whole job file
  std::string file;  // its name, for messages
  base::json::object params;
  std::string key;                // makes the submit idempotent within the job; empty for none
  std::vector<std::string> only;  // the stages to run; empty for all
  std::string stop_after;         // runs this stage and what it needs; empty for all
  std::string turn;               // a queue beside its job's in which the run needs a place; empty for none
  std::string queue;              // instead of its job's; empty for that
  std::optional<int> priority;    // instead of its job's
  std::optional<Fired> fire;      // the fire time of a schedule that the run is for; idempotent as well
};
struct SubmitReceipt {
  model::RunId run{};
  bool existing = false;     // the key or the fire time was taken: `run` is the run that has it
  std::string skipped = {};  // why the fire time leads to no run, as another node decided; there is no `run` then
};

struct EngineSettings {
  std::size_t active_runs_max = 4096;  // runs held in memory at once; others wait in the store
  std::size_t steps_in_flight_max = 1024;
  std::map<std::string, model::LimitSpec> limits;  // the operator's, from the config file
  std::map<std::string, model::QueueSpec> queues;  // likewise
  std::map<std::string, model::BreakerSpec> breakers;  // likewise, by the unit of a provider or "*"
  std::uint64_t seed = 0;             // of the jitter of backoffs
  // After which it is looked for locks that other nodes, or earlier lives, have released; zero for never.
  base::Duration locks_looked_every{};
  Cluster* cluster = nullptr;                 // the nodes that share the store; none: the engine has it to itself
  std::map<std::string, std::string> labels;  // of this node
  Scripts* scripts = nullptr;         // runs Lua jobs, which are refused without it; outlives the engine
};

// Runs jobs. A library without I/O of its own: everything goes through Store, StepRunner and Clock, on one thread.
class Engine {
 public:
  // `fenced` is called, perhaps often, once another process has taken this node's place: nothing more can be stored,
  // the process should end.
  Engine(EngineSettings settings, Store& store, StepRunner& runner, Clock& clock, jobfile::Library& library,
         std::function<void()> fenced);
  ~Engine();
  Engine(const Engine&) = delete;

  // Takes up what an earlier life left unfinished; `ready` comes when the first batch of it is at work again.
  void start(std::function<void()> ready);
  // Takes no new work; `drained` comes when no step is running any more. Unfinished runs stay in the store.
  void drain(std::function<void()> drained);
  // "step search[3] of run 7" for each step that is being executed, up to `most`.
  std::vector<std::string> under_way(std::size_t most) const;

  void submit(SubmitRequest request, Caller caller, Answer<SubmitReceipt> answer);
  // The same for many sets of parameters of one job: all are stored, or none.
  void submit_many(SubmitRequest request, std::vector<base::json::object> params, Caller caller,
                   Answer<std::vector<model::RunId>> answer);
  void cancel(model::RunId run, Caller caller, Answer<Nothing> answer);
  void pause(model::RunId run, Caller caller, Answer<Nothing> answer);
  void resume(model::RunId run, Caller caller, Answer<Nothing> answer);
  // What is to be different when an ended run is continued.
  struct Retry {
    std::string from;                        // a step: it and what depends on it is done again
    std::map<std::string, std::string> set;  // JSON text by path: a step's output, or "params.NAME..."
    std::vector<std::string> skip;           // steps that are taken as done without an output
    bool empty() const { return from.empty() && set.empty() && skip.empty(); }
  };
  // A blocked run goes on (its unfinished step is attempted again) and keeps its number. A failed or cancelled one, or
  // any one that is to be different, is continued by a new run that takes over the finished steps which do not depend
  // on what is; the answer is the number of the run to look at.
  void retry(model::RunId run, Retry how, Caller caller, Answer<model::RunId> answer);

  // Sends a signal to a run that has not ended; it is kept until a step takes it. `payload` is JSON text.
  void signal(model::RunId run, std::string name, std::string payload, Caller caller, Answer<Nothing> answer);
  // Decides on a step that waits for approval; denied to those whom the step does not name.
  struct Decision {
    std::string step;
    bool approved = true;
    std::string comment;
  };
  void approve(model::RunId run, Decision decision, Caller caller, Answer<Nothing> answer);

  // Lets a run that nothing is being executed of go on with another version of its job: `to` is "latest" or the
  // version's hash. The answer shows what would differ: {"from", "to", "unknown": [paths of recorded steps that the
  // version does not have], "next": [paths it would go on with], "problem": text or null, "done": bool}. With `dry`, or
  // with something unknown or a problem, nothing is changed.
  void migrate(model::RunId run, std::string to, bool dry, Caller caller, Answer<base::json::object> answer);

  // What keeps the run from going on, exactly: {"run","state","reasons":[{"code","text",...}]}. not_found for a run not
  // in memory and not stored.
  void why(model::RunId run, Answer<base::json::object> answer);
  // State, progress and steps in flight of a run in memory; empty when it is not.
  base::json::object live(model::RunId run) const;

  // Follows one run; the number ends it with unfollow(). Events come on the engine's thread.
  std::uint64_t follow(model::RunId run, Interest interest, Follower follower);
  void unfollow(std::uint64_t number);

  // {"name","limit","permits","used","waiting","holders":[...],"source":"config"|"operator"|"job"}; a rate also has "rate",
  // what it is now in tokens per second, "paused" when the other side asked for a pause, and "why" it is not what is
  // configured, "until" when. A template ("tenant:*") has the number of its "keys", a key is "key_of" its template.
  base::json::array limits() const;
  // Without a `spec` operators say no more about it: it has the numbers of the settings again, or of its jobs.
  void set_limit(std::string name, std::optional<model::LimitSpec> spec, Caller caller, Answer<Nothing> answer);

  // The circuit breakers of providers of which a call went wrong, as Breakers::view() shows them.
  base::json::array breakers() const;
  // The named queues, as Queues::view() shows them.
  base::json::array queues() const;
  // A paused queue lets no further run begin; those at work go on. Kept over restarts.
  void pause_queue(std::string name, bool paused, Caller caller, Answer<Nothing> answer);

  // The schedules, see engine/scheduler.hpp.
  Scheduler& schedules();

  // Problems of a job with what is installed: unknown `uses`, inputs against the plugins' schemas. Empty when there are
  // none.
  std::vector<base::Error::Problem> check(const model::Job& job) const;
  // Numbers for `godwit status`: runs by state in memory, steps in flight, queue lengths, totals since the start.
  base::json::object status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::engine
