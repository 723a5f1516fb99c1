#pragma once
#include <array>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "engine/answer.hpp"
#include "engine/step_runner.hpp"
#include "model/limit.hpp"
#include "model/run.hpp"

namespace godwit::engine {

// The facts the journal stores. They are only ever added: what is true of a run is what its facts say together.

// A version of a job, stored once by the hash of its text.
struct JobStored {
  std::string version;  // SHA-256 of `text`, hexadecimal
  std::string job;
  std::string file;
  std::string text;
};
// A run was accepted. `from_inbox`: it came by the SQL function and takes its row of the inbox away in the same
// transaction.
struct Submitted {
  model::RunId run{};
  std::string job;
  std::string version;
  std::string params;  // JSON object, defaults filled in
  std::string key;     // idempotency key of the submit within the job; empty for none
  std::string submitted_by;
  base::Instant submitted_at;
  std::string pins;  // JSON object: each `uses` with the plugin and version it meant at the submit
  std::optional<model::RunId> retry_of;
  // With retry_of: what is copied from the old run's finished steps, by path. Written in the same transaction.
  std::vector<std::string> copied_steps;
  bool from_inbox = false;
  std::optional<model::RunId> parent;  // the run whose step `parent_path` this is, and which it ends with
  std::string parent_path;
  std::string options;  // JSON object: labels, priority, queue, only, stop_after...; empty for none
  std::string unique;   // no two runs of the job that have not ended have the same; empty for none
  std::optional<model::RunId> unique_from;  // the run that ends in the same transaction and had the same `unique`
};
// An attempt of a step that must not be repeated blindly is about to be made.
struct AttemptStarted {
  model::RunId run{};
  std::string path;
  int attempt = 1;
  base::Instant at;
};
// An attempt failed and another one follows, not before `next_at`.
struct AttemptFailed {
  model::RunId run{};
  std::string path;
  int attempt = 1;
  model::Failure failure;
  base::Instant at;
  base::Instant next_at;
};
// A step ended; it never runs again in its run.
struct StepDone {
  model::RunId run{};
  std::string path;
  model::StepState state = model::StepState::succeeded;
  int attempt = 1;
  std::int64_t args_hash = 0;
  std::string output;                     // JSON text; empty unless succeeded
  std::optional<model::Failure> failure;  // set when failed, or skipped with a reason
  base::Instant started_at;
  base::Instant finished_at;
  std::vector<Emitted> emitted;
  std::string line;  // of the script that asked for it: "trip.lua:12"
};
// The newest value under a key of a running step; an older one is forgotten.
struct CheckpointPut {
  model::RunId run{};
  std::string path;
  std::string key;
  std::string value;  // JSON text
};
// A step began to wait for something outside its run. What is decided here is never decided anew.
enum class WaitKind { sleep, signal, approval, child, lock };
struct WaitOpened {
  model::RunId run{};
  std::string path;
  WaitKind kind = WaitKind::sleep;
  base::Instant at;
  std::optional<base::Instant> until;  // when it ends by itself
  std::string name;                    // of the signal it waits for
  std::optional<model::RunId> child;   // the run it waits for
  std::string detail;                  // JSON object for people: what is to be approved, and who may; empty for none
};
// A message to a run; it is kept until a step takes it. `number` is unique within the store.
struct Signal {
  std::int64_t number = 0;
  std::string name;
  std::string payload;  // JSON text
  std::string who;
  base::Instant at;
};
// Wakes a resting run. `from_inbox`: it came by the SQL function, see Submitted.
struct SignalSent {
  model::RunId run{};
  Signal signal;
  bool from_inbox = false;
};
struct SignalTaken {
  model::RunId run{};
  std::int64_t number = 0;
};
// A run whose steps all wait left memory until `wake_at` or until something comes for it; or it is back.
struct RunRested {
  model::RunId run{};
  bool resting = true;
  std::optional<base::Instant> wake_at;
};
// A run of this node is nobody's from now on: nothing more is written of it until somebody claims it.
struct RunReleased {
  model::RunId run{};
};
// A loop folded finished items away: `value` stands for them from now on. The rows of the steps at and below each path
// of `folded` are removed; a row that is written by the same transaction may stay.
struct CursorMoved {
  model::RunId run{};
  std::string path;
  std::string value;  // JSON text
  std::vector<std::string> folded;
};
// A run lets go of a lock that it has or waits for. All of a run's locks go with its end.
struct LockReleased {
  model::RunId run{};
  std::string path;  // of the step that asked for it; empty for the turn of the run itself
  std::string name;  // empty when it is not known
};
// A step has made a file. Known at once, whatever becomes of the step.
struct ArtifactStored {
  model::RunId run{};
  std::string path;
  Artifact artifact;
  base::Instant at;
};
// Something other than a step changed what a run does next.
// `closing`: how the run will end is decided, and what is to be done before begins; `detail` is the end as JSON.
// `migrated`: the run goes on with another version of its job; `detail` is {"version", "pins"} as JSON.
// `continued`: another run goes on where this one ended, or this one goes on where another ended, as `detail` says.
enum class RunChange { paused, resumed, blocked, unblocked, cancel_requested, closing, migrated, continued };
inline constexpr std::array<std::string_view, 8> kRunChanges{
    "paused", "resumed", "blocked", "unblocked", "cancel_requested", "closing", "migrated", "continued"};
std::string migration_text(const std::string& version, const std::string& pins);
void apply_migration(Submitted& run, std::string_view detail);
struct RunChanged {
  model::RunId run{};
  RunChange change = RunChange::paused;
  std::string who;
  std::string detail;  // the reason in words
  std::string path;    // the step concerned, or empty
  base::Instant at;
  std::string sides;  // JSON object: what was recorded beside what was asked for; empty when there are no two sides
  bool elsewhere = false;  // the run may be another node's, which is told
};
// A run reached its end; written once.
struct RunDone {
  model::RunId run{};
  model::RunState state = model::RunState::succeeded;
  std::string result;                     // JSON text; empty unless succeeded
  std::optional<model::Failure> failure;  // unless succeeded
  std::string failed_path;                // the step that failed, or empty
  base::Instant at;
  std::optional<model::RunId> parent;      // is woken by it
  bool parent_elsewhere = false;           // the parent may be another node's, which is told
  bool was_unique = false;                 // another run may have its Submitted::unique now
  bool had_locks = false;                  // or may have had some; others may have them now
  std::optional<base::Instant> delete_at;  // from when on nobody wants to know of it
};
struct LimitSet {
  std::string name;
  model::LimitSpec spec;
  bool removed = false;  // operators say no more about it
};
// A queue was paused, or goes on.
struct QueueSet {
  std::string name;
  bool paused = false;
  std::string who;
  base::Instant at;
};
// A schedule as it is from now on.
struct ScheduleSet {
  enum class MadeBy { job, operator_ };
  std::string name;
  MadeBy made_by = MadeBy::job;
  std::string definition;  // model::Schedule as JSON text
  bool paused = false;
  bool removed = false;
  base::Instant since;  // it fires after this instant
};
// A fire time of a schedule led to a run; goes with the run's Submitted. Of several for one instant, whoever writes
// them, one is stored: the others' groups end as `duplicate`.
struct Fired {
  std::string schedule;
  base::Instant instant;
  model::RunId run{};
  bool made_up = false;  // takes the place of a record that there was no run; else that record wins
};
// A fire time led to no run; what was recorded of it first is kept.
struct FireSkipped {
  std::string schedule;
  base::Instant instant;
  std::string why;
  base::Instant at;
};
// What a person did, for the audit table; appended together with the change itself.
struct Audited {
  std::int64_t uid = 0;
  std::string who;
  std::string command;
  std::string target;
  std::string detail;  // JSON
  base::Instant at;
};
// The next two are worth no commit of their own: append_relaxed().
struct ProgressNoted {
  model::RunId run{};
  std::string progress;  // JSON object
};
struct Logged {
  model::RunId run{};
  std::string path;
  LogLevel level = LogLevel::info;
  std::string stream;  // "", "stdout", "stderr"
  std::string text;
  std::string fields;  // JSON object or empty
  base::Instant at;
};
using Fact =
    std::variant<JobStored, Submitted, AttemptStarted, AttemptFailed, StepDone, CheckpointPut, WaitOpened, SignalSent,
                 SignalTaken, RunRested, RunReleased, CursorMoved, LockReleased, RunChanged, RunDone, LimitSet, QueueSet, ScheduleSet, Fired, FireSkipped, Audited,
                 ArtifactStored, ProgressNoted, Logged>;

// How appended facts ended. `duplicate`: a Submitted had a key or a fire time that is taken, or is not `unique`; nothing
// of its group was stored, `existing` is the run that has it. `refused`: the store cannot hold these facts (say, text
// that is not UTF-8); nothing of the group was stored. `fenced`: another process took this node's place; nothing was
// stored and nothing more will be.
struct Verdict {
  enum Kind { committed, duplicate, refused, fenced } kind = committed;
  std::optional<model::RunId> existing;  // none when a fire time was decided to lead to no run: `message` says why
  bool unique = false;  // with `duplicate`: it has the same Submitted::unique, and not the key
  std::string message;
};

// A lock that a run has or waits for, under the path of the step that asked for it.
struct LockRow {
  std::string name;
  model::RunId run{};
  std::string path;  // empty for the turn of the run itself
  int permits = 1;   // how many may have it at once
  bool granted = false;
};

// A step whose own statement runs in the transaction that records it. Its output is what the statement gave:
// {"rows": [{column: value}...], "count": rows given or changed}.
struct SqlStep {
  StepDone done;  // without its output, and without its end
  std::string statement;
  std::vector<std::string> parameters;  // JSON texts, $1 is the first
  base::Duration timeout{};
};
// How it ended, as it is recorded.
struct SqlDone {
  std::string output;
  base::Instant at;
};

// What the store knows of one run that has not ended.
struct UnfinishedRun {
  struct Attempts {
    int made = 0;           // attempts known to have failed or to have been started
    bool in_doubt = false;  // the last one was started, must not be repeated blindly, and has no end
    base::Instant next_at;  // when the next may be made
    model::Failure last_failure;
  };
  Submitted run;
  std::vector<StepDone>
      steps;  // finished; `emitted` is left empty; outputs over 64 KiB are left empty, see output_omitted
  std::vector<std::string> output_omitted;   // paths of succeeded steps whose output must be read with read_outputs()
  std::map<std::string, Attempts> attempts;  // of unfinished steps
  struct Wait {
    WaitOpened opened;
    std::optional<RunDone> child_end;
  };
  std::map<std::string, Wait> waits;           // of unfinished steps
  std::vector<Signal> signals;                 // not taken, in the order of their numbers
  std::map<std::string, std::string> cursors;  // newest value by path
  bool paused = false;
  bool cancel_requested = false;
  std::string cancelled_by;
  std::string closing;  // detail of the change, empty before
  std::string blocked;  // why it is blocked, empty when it is not
  std::string blocked_path;
  std::optional<model::RunState> ended;  // only load_run() gives runs that have ended

  // Whether nothing is stored of it but its submit, and what was sent to it.
  bool is_as_submitted() const {
    return steps.empty() && attempts.empty() && waits.empty() && cursors.empty() && !paused && !cancel_requested &&
           closing.empty() && blocked.empty();
  }
};

// A submit that came by SQL and waits to be checked and taken.
struct InboxEntry {
  model::RunId run{};
  std::string job;
  std::string params;
  std::string key;
  std::string submitted_by;
  base::Instant submitted_at;
};
// An unfinished run that is not plain (engine/rank.hpp).
struct RankedRun {
  model::RunId run{};
  std::string options;
  base::Instant submitted_at;
  bool begun = false;  // a step of it was attempted
  bool resting = false;
  bool for_lock = false;  // it rests until it can have a lock, or its turn
};
// A run that rests, and when it is to be woken.
struct Resting {
  model::RunId run{};
  std::optional<base::Instant> wake_at;
};

// A schedule that the store knows.
struct StoredSchedule {
  ScheduleSet set;
  std::optional<base::Instant> last_fire;  // the last one that came, whether it led to a run or not
};

struct OpenFires {
  std::vector<model::RunId> runs;
  std::optional<model::RunId> taken;
  std::string skipped;  // why the fire time leads to no run; empty when that is open
};

// The durable side of the engine. Used on the engine's thread; answers come there too. While the database is away
// nothing is answered: calls wait until it is back, unless stop() ends them with Error(unavailable).
class Store {
 public:
  virtual ~Store() = default;
  // Stores the facts of one call in one transaction, together with those of other calls as it suits. `settled` comes
  // after the commit.
  virtual void append(std::vector<Fact> facts, std::function<void(Verdict)> settled) = 0;
  // The same for facts that may be lost in a crash; they ride along or are written within a second. Dropped beyond a
  // bound, with a count.
  virtual void append_relaxed(Fact fact) = 0;
  // `count` numbers for new runs, in growing order.
  virtual void allocate_runs(std::size_t count, Answer<std::vector<model::RunId>> answer) = 0;
  // This node's runs that have not ended, by growing number, those after `after`, at most `limit`, and fewer when they have
  // very many steps; none when there are none. The steps come with them. Runs that rest are not among them, nor those that are not plain (engine/rank.hpp).
  virtual void load_unfinished(model::RunId after, std::size_t limit, Answer<std::vector<UnfinishedRun>> answer) = 0;
  // This node's unfinished runs that are not plain, without their facts; numbers and order as above.
  virtual void load_ranked(model::RunId after, std::size_t limit, Answer<std::vector<RankedRun>> answer) = 0;
  // One run's facts in the same form, ended or not; not_found when there is none.
  virtual void load_run(model::RunId run, Answer<UnfinishedRun> answer) = 0;
  // The same for several runs, those of them that have not ended and are this node's.
  virtual void load_runs(std::vector<model::RunId> runs, Answer<std::vector<UnfinishedRun>> answer) = 0;
  // This node's runs that rest.
  virtual void load_resting(Answer<std::vector<Resting>> answer) = 0;
  // Runs the statement and records the step in one transaction. An error means that neither happened;
  // of kind `refused` when the database refused the statement. Give it only what builds on committed facts.
  virtual void execute(SqlStep step, Answer<SqlDone> answer) = 0;
  virtual void read_outputs(model::RunId run, std::vector<std::string> paths,
                            Answer<std::map<std::string, std::string>> answer) = 0;
  virtual void read_checkpoint(model::RunId run, std::string path, std::string key,
                               Answer<std::optional<std::string>> answer) = 0;
  virtual void load_job(std::string version, Answer<JobStored> answer) = 0;
  virtual void load_limits(Answer<std::vector<LimitSet>> answer) = 0;
  // The queues that are paused.
  virtual void load_queues(Answer<std::vector<QueueSet>> answer) = 0;
  virtual void load_schedules(Answer<std::vector<StoredSchedule>> answer) = 0;
  // Those of the schedule's last 64 runs that have not ended, oldest first, and the run of the given fire time, if it has
  // led to one.
  virtual void open_fires(std::string schedule, base::Instant instant, Answer<OpenFires> answer) = 0;
  // Enters the lock, unless it is, and grants it when fewer than its permits are granted or waiting before it. Gives the
  // lock and those that are before it, at most 64. Give it only what builds on committed facts.
  virtual void take_lock(LockRow wanted, Answer<std::vector<LockRow>> answer) = 0;
  // Runs that wait for one of these locks and may have it now; of all locks when no name is given.
  virtual void grantable_locks(std::vector<std::string> names, Answer<std::vector<model::RunId>> answer) = 0;
  // Who has the lock, and who waits, in the order of arrival; at most 64. All locks when no name is given.
  virtual void read_locks(std::string name, Answer<std::vector<LockRow>> answer) = 0;
  virtual void read_inbox(std::size_t limit, Answer<std::vector<InboxEntry>> answer) = 0;
  // Signals for this node's runs that came by SQL and wait to be taken.
  virtual void read_signals(std::size_t limit, Answer<std::vector<SignalSent>> answer) = 0;
  // Calls `arrived` whenever the inbox may have something new (also once after each reconnect).
  virtual void watch_inbox(std::function<void()> arrived) = 0;
  // {"state":"up"|"down"|"starting"|"fenced", "since":..., "error":..., "server_version":..., "private":bool, ...}
  virtual base::json::object status() const = 0;
  // A short id that is different for every store ever made: part of idempotency keys.
  virtual std::string store_id() const = 0;
};

}  // namespace godwit::engine
