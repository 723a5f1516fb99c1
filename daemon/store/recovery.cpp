#include "store/recovery.hpp"

#include <spdlog/fmt/fmt.h>

#include <unordered_map>

#include "base/error.hpp"
#include "store/batch.hpp"
#include "store/values.hpp"

namespace godwit::store {
namespace {

// Outputs longer than this stay in the store until somebody needs one; so do all that follow once a page has so many bytes.
constexpr std::int64_t kOutputMax = 65'536;
constexpr std::int64_t kOutputsMax = 16 << 20;
// Facts are read for so many runs at once, and of a page only until it has so many steps.
constexpr std::size_t kRunsAtOnce = 128;
constexpr std::size_t kStepsMax = 100'000;

constexpr auto kRunColumns =
    "SELECT r.id, r.job, r.version, r.params, r.key, r.submitted_by, r.submitted_at, r.pins, r.retry_of, "
    "r.parent, r.parent_path, r.options, (SELECT q.key FROM godwit.run_unique q WHERE q.run = r.id) FROM "
    "godwit.run r {}";

// A page of the runs `r` of node $1 that follow run $2, at most $3: those that were open at the last fold, and those
// committed since, whose numbers are from $4 to $5; see open_run in the schema. The second look ends where the first page
// does. What else they must be is left open. The sums keep the index by number out of it, which knows no order of runs.
constexpr auto kPage = R"sql(
WITH folded AS MATERIALIZED (
  SELECT r.id FROM godwit.open_run o JOIN godwit.run r ON r.id = o.run WHERE o.node = $1 AND o.run > $2 AND {0} ORDER BY o.run LIMIT $3),
fresh AS MATERIALIZED (
  SELECT r.id FROM godwit.run r
  WHERE r.id > $2 AND r.id >= $4 AND r.id <= least($5, (SELECT max(id) FROM folded HAVING count(*) = $3)) AND r.node + 0 = $1
    AND r.number + 0 > coalesce((SELECT f.number FROM godwit.fold f WHERE f.node = $1), 0)
    AND NOT EXISTS (SELECT FROM godwit.open_run o WHERE o.run = r.id) AND {0} ORDER BY r.id LIMIT $3),
page AS (SELECT id FROM folded UNION ALL SELECT id FROM fresh ORDER BY id LIMIT $3) )sql";

constexpr auto kIsRanked = "godwit.is_ranked(r.options)";
constexpr auto kIsOpen = "NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = r.id)";
constexpr auto kIsAwake = "NOT EXISTS (SELECT FROM godwit.rest t WHERE t.run = r.id AND t.resting = 1)";

std::string unfinished_statement() {
  return fmt::format(kPage, fmt::format("NOT {} AND {} AND {}", kIsRanked, kIsOpen, kIsAwake)) +
         fmt::format(kRunColumns, "JOIN page ON page.id = r.id ORDER BY r.id");
}

std::string owned_statement() {
  return fmt::format(kRunColumns, fmt::format("WHERE r.id = ANY ($1::bigint[]) AND godwit.owner(r.id) = $2 AND {} ORDER BY r.id", kIsOpen));
}

// Those that are ranked come without their facts, and those that rest too.
std::string ranked_statement() {
  return fmt::format(kPage, fmt::format("{} AND {}", kIsRanked, kIsOpen)) +
         fmt::format(R"sql(
SELECT r.id, r.options, r.submitted_at, coalesce((SELECT s.run FROM godwit.step s WHERE s.run = r.id LIMIT 1),
    (SELECT a.run FROM godwit.attempt a WHERE a.run = r.id LIMIT 1), (SELECT w.run FROM godwit.wait w WHERE w.run = r.id LIMIT 1)) IS NOT NULL,
  coalesce((SELECT t.resting = 1 FROM godwit.rest t WHERE t.run = r.id), false), {}
FROM godwit.run r JOIN page ON page.id = r.id ORDER BY r.id)sql",
                     kWaitsForLock);
}

// $2 what one output may have, $3 all of them.
constexpr auto kSteps = R"sql(
SELECT run, path, state, attempt, args_hash, CASE WHEN fits THEN output END, NOT fits, failure, started_at, finished_at, line FROM (
  SELECT *, output IS NULL OR octet_length(output) <= $2 AND sum(CASE WHEN octet_length(output) <= $2 THEN octet_length(output) ELSE 0 END)
    OVER (ORDER BY run, finished_at ROWS UNBOUNDED PRECEDING) <= $3 AS fits FROM godwit.step WHERE run = ANY ($1::bigint[])) s
ORDER BY run, finished_at)sql";

constexpr auto kAttempts = R"sql(
SELECT a.run, a.path, a.attempt, a.phase, a.failure, a.next_at, NOT EXISTS (SELECT FROM godwit.run_change c
    WHERE c.run = a.run AND c.change = $2 AND c.at >= a.at) FROM godwit.attempt a WHERE a.run = ANY ($1::bigint[])
  AND NOT EXISTS (SELECT FROM godwit.step s WHERE s.run = a.run AND s.path = a.path) ORDER BY a.run, a.path, a.attempt, a.phase)sql";

constexpr auto kChanges =
    "SELECT run, change, detail, path, who FROM godwit.run_change WHERE run = ANY ($1::bigint[]) ORDER BY run, seq";

// The end of the run that is waited for comes with the wait.
constexpr auto kWaits = R"sql(
SELECT w.run, w.path, w.kind, w.at, w.until, w.name, w.child, w.detail, d.state, d.result, d.failure, d.failed_path, d.finished_at
  FROM godwit.wait w LEFT JOIN godwit.run_done d ON d.run = w.child WHERE w.run = ANY ($1::bigint[])
  AND NOT EXISTS (SELECT FROM godwit.step s WHERE s.run = w.run AND s.path = w.path))sql";

constexpr auto kSignals =
    "SELECT run, number, name, payload, who, at FROM godwit.signal WHERE run = ANY ($1::bigint[]) ORDER BY run, number";

constexpr auto kCursors = "SELECT run, path, value FROM godwit.cursor WHERE run = ANY ($1::bigint[])";

// Facts of one snapshot, so that they fit together.
using Snapshot = pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>;

engine::Submitted submitted(const pqxx::row& row) {
  engine::Submitted run;
  run.run = run_id(row[0]);
  run.job = text(row[1]);
  run.version = text(row[2]);
  run.params = text(row[3]);
  run.key = text(row[4]);
  run.submitted_by = text(row[5]);
  run.submitted_at = instant(row[6]);
  run.pins = text(row[7]);
  if (!row[8].is_null()) run.retry_of = run_id(row[8]);
  if (!row[9].is_null()) run.parent = run_id(row[9]);
  run.parent_path = text(row[10]);
  run.options = text(row[11]);
  run.unique = text(row[12]);
  return run;
}

engine::StepDone step(const pqxx::row& row) {
  engine::StepDone step;
  step.run = run_id(row[0]);
  step.path = text(row[1]);
  step.state = static_cast<model::StepState>(integer(row[2]));
  step.attempt = static_cast<int>(integer(row[3]));
  step.args_hash = integer(row[4]);
  step.output = text(row[5]);
  if (!row[7].is_null()) step.failure = parse_failure(view(row[7]));
  step.started_at = instant(row[8]);
  step.finished_at = instant(row[9]);
  step.line = text(row[10]);
  return step;
}

// Rows come in the order of attempts, a started one before its failure. A person who let the run go on since has
// answered the doubt.
void add_attempt(engine::UnfinishedRun::Attempts& attempts, const pqxx::row& row) {
  attempts.made = static_cast<int>(integer(row[2]));
  const bool started = integer(row[3]) == 0;
  attempts.in_doubt = started && view(row[6]) == "t";
  if (started) return;
  attempts.last_failure = parse_failure(view(row[4]));
  attempts.next_at = instant(row[5]);
}

engine::UnfinishedRun::Wait wait(const pqxx::row& row) {
  engine::UnfinishedRun::Wait wait{{.run = run_id(row[0]),
                                    .path = text(row[1]),
                                    .kind = static_cast<engine::WaitKind>(integer(row[2])),
                                    .at = instant(row[3]),
                                    .name = text(row[5]),
                                    .detail = text(row[7])},
                                   {}};
  if (!row[4].is_null()) wait.opened.until = instant(row[4]);
  if (!row[6].is_null()) wait.opened.child = run_id(row[6]);
  if (!row[8].is_null()) {
    wait.child_end.emplace();
    wait.child_end->run = *wait.opened.child;
    wait.child_end->state = static_cast<model::RunState>(integer(row[8]));
    wait.child_end->result = text(row[9]);
    if (!row[10].is_null()) wait.child_end->failure = parse_failure(view(row[10]));
    wait.child_end->failed_path = text(row[11]);
    wait.child_end->at = instant(row[12]);
  }
  return wait;
}

engine::Signal signal(const pqxx::row& row) {
  return {integer(row[1]), text(row[2]), text(row[3]), text(row[4]), instant(row[5])};
}

void apply_change(engine::UnfinishedRun& run, const pqxx::row& row) {
  switch (static_cast<engine::RunChange>(integer(row[1]))) {
    case engine::RunChange::paused:
      run.paused = true;
      break;
    case engine::RunChange::resumed:
      run.paused = false;
      break;
    case engine::RunChange::blocked:
      run.blocked = text(row[2]);
      run.blocked_path = text(row[3]);
      break;
    case engine::RunChange::unblocked:
      run.blocked.clear();
      run.blocked_path.clear();
      break;
    case engine::RunChange::cancel_requested:
      run.cancel_requested = true;
      run.cancelled_by = text(row[4]);
      break;
    case engine::RunChange::migrated:
      engine::apply_migration(run.run, view(row[2]));
      break;
    case engine::RunChange::closing:
      run.closing = text(row[2]);
      break;
    case engine::RunChange::continued:
      break;
  }
}

// What is asked again and again within snapshots, planned once by each session.
class Questions {
 public:
  Questions(Connection& connection, Snapshot& work) : connection_(connection), work_(work) {}

  template <typename... Values>
  pqxx::result ask(const char* name, const std::string& sql, const Values&... values) {
    connection_.prepare(name, sql);
    return work_.exec_prepared(name, values...);
  }

 private:
  Connection& connection_;
  Snapshot& work_;
};

// The facts of a page of runs.
class Facts {
 public:
  explicit Facts(Questions questions) : questions_(questions) {}

  // Of all these runs, or, in the order of the rows, of as many as have not too many steps together; of one at least.
  std::vector<engine::UnfinishedRun> of(const pqxx::result& rows, bool all) {
    const auto count = static_cast<std::size_t>(rows.size());
    for (std::size_t from = 0; from < count && (all || steps_ < kStepsMax); from += kRunsAtOnce) {
      std::vector<std::int64_t> numbers;
      for (std::size_t i = from; i < std::min(count, from + kRunsAtOnce); ++i) {
        const auto row = rows[static_cast<pqxx::result::size_type>(i)];
        numbers.push_back(integer(row[0]));
        places_[numbers.back()] = runs_.size();
        runs_.emplace_back().run = submitted(row);
      }
      read(array_of(numbers));
    }
    return std::move(runs_);
  }

 private:
  engine::UnfinishedRun& run(const pqxx::row& row) { return runs_[places_.at(integer(row[0]))]; }

  void read(const pqxx::binarystring& ids) {
    for (const auto& row : questions_.ask("steps", kSteps, ids, kOutputMax, kOutputsMax - outputs_)) add_step(row);
    for (const auto& row : questions_.ask("attempts", kAttempts, ids, static_cast<int>(engine::RunChange::unblocked)))
      add_attempt(run(row).attempts[text(row[1])], row);
    for (const auto& row : questions_.ask("waits", kWaits, ids)) run(row).waits.emplace(text(row[1]), wait(row));
    for (const auto& row : questions_.ask("signals", kSignals, ids)) run(row).signals.push_back(signal(row));
    for (const auto& row : questions_.ask("cursors", kCursors, ids)) run(row).cursors.emplace(text(row[1]), text(row[2]));
    for (const auto& row : questions_.ask("changes", kChanges, ids)) apply_change(run(row), row);
  }

  void add_step(const pqxx::row& row) {
    auto& of = run(row);
    of.steps.push_back(step(row));
    if (view(row[6]) == "t") of.output_omitted.push_back(of.steps.back().path);
    outputs_ += static_cast<std::int64_t>(of.steps.back().output.size());
    ++steps_;
  }

  Questions questions_;
  std::vector<engine::UnfinishedRun> runs_;
  std::unordered_map<std::int64_t, std::size_t> places_;
  std::int64_t outputs_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

std::vector<engine::UnfinishedRun> load_unfinished(Connection& connection, const NodeSeat& seat,
                                                   const UnfoldedRuns& unfolded, model::RunId after, std::size_t limit) {
  std::vector<engine::UnfinishedRun> runs;
  // Looked at before the snapshot is taken: what is folded in between is then in open_run.
  const auto fresh = unfolded.range();
  connection.transaction<Snapshot>([&](Snapshot& work) {
    Questions questions(connection, work);
    runs = Facts(questions).of(questions.ask("unfinished", unfinished_statement(), seat.node, model::number(after), limit,
                                             fresh.first, fresh.last),
                               false);
  });
  return runs;
}

std::vector<engine::RankedRun> load_ranked(Connection& connection, const NodeSeat& seat, const UnfoldedRuns& unfolded,
                                           model::RunId after, std::size_t limit) {
  std::vector<engine::RankedRun> runs;
  const auto fresh = unfolded.range();
  const auto sql = ranked_statement();
  for (const auto& row : connection.query(sql, seat.node, model::number(after), limit, fresh.first, fresh.last)) {
    const bool resting = view(row[4]) == "t";
    runs.push_back({run_id(row[0]), text(row[1]), instant(row[2]), view(row[3]) == "t", resting,
                    resting && view(row[5]) == "t"});
  }
  return runs;
}

engine::UnfinishedRun load_run(Connection& connection, model::RunId run) {
  std::vector<engine::UnfinishedRun> runs;
  std::optional<model::RunState> ended;
  connection.transaction<Snapshot>([&](Snapshot& work) {
    ended.reset();
    for (const auto& row : work.exec_params("SELECT state FROM godwit.run_done WHERE run = $1", model::number(run)))
      ended = static_cast<model::RunState>(integer(row[0]));
    Questions questions(connection, work);
    runs = Facts(questions).of(questions.ask("run", fmt::format(kRunColumns, "WHERE r.id = $1"), model::number(run)), true);
  });
  if (runs.empty()) throw base::not_found("there is no run " + model::text(run));
  runs.front().ended = ended;
  return std::move(runs.front());
}

std::vector<engine::UnfinishedRun> load_runs(Connection& connection, const NodeSeat& seat,
                                             const std::vector<model::RunId>& wanted) {
  std::vector<std::int64_t> numbers;
  for (const auto run : wanted) numbers.push_back(model::number(run));
  std::vector<engine::UnfinishedRun> runs;
  connection.transaction<Snapshot>([&](Snapshot& work) {
    Questions questions(connection, work);
    runs = Facts(questions).of(questions.ask("runs", owned_statement(), array_of(numbers), seat.node), true);
  });
  return runs;
}

std::vector<engine::Resting> load_resting(Connection& connection, const NodeSeat& seat) {
  std::vector<engine::Resting> resting;
  for (const auto& row : connection.query(
           fmt::format("SELECT t.run, {} FROM godwit.open_run o JOIN godwit.rest t ON t.run = o.run WHERE o.node = $1 AND "
                       "t.resting = 1 AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = t.run)",
                       kWakeAt),
           seat.node)) {
    resting.push_back({run_id(row[0]), {}});
    if (!row[1].is_null()) resting.back().wake_at = instant(row[1]);
  }
  return resting;
}

std::vector<engine::SignalSent> read_signals(Connection& connection, const NodeSeat& seat, std::size_t limit) {
  std::vector<engine::SignalSent> sent;
  for (const auto& row : connection.query("SELECT i.run, i.number, i.name, i.payload, i.sent_by, i.sent_at FROM "
                                          "godwit.signal_inbox i WHERE godwit.owner(i.run) = $1 "
                                          "ORDER BY i.number LIMIT $2",
                                          seat.node, limit))
    sent.push_back({run_id(row[0]), signal(row), true});
  return sent;
}

std::map<std::string, std::string> read_outputs(Connection& connection, model::RunId run,
                                                const std::vector<std::string>& paths) {
  ArrayColumn wanted(ColumnType::text);
  for (const auto& path : paths) wanted.add(path);
  std::map<std::string, std::string> outputs;
  for (const auto& row : connection.query(
           "SELECT path, output FROM godwit.step WHERE run = $1 AND path = ANY ($2::text[]) AND output IS NOT NULL",
           model::number(run), parameter(wanted)))
    outputs.emplace(text(row[0]), text(row[1]));
  return outputs;
}

std::optional<std::string> read_checkpoint(Connection& connection, model::RunId run, const std::string& path,
                                           const std::string& key) {
  const auto rows = connection.query("SELECT value FROM godwit.checkpoint WHERE run = $1 AND path = $2 AND key = $3",
                                     model::number(run), path, key);
  if (rows.empty()) return std::nullopt;
  return text(rows[0][0]);
}

engine::JobStored load_job(Connection& connection, const std::string& version) {
  const auto rows =
      connection.query("SELECT version, job, file, text FROM godwit.job_version WHERE version = $1", version);
  if (rows.empty()) throw base::not_found(fmt::format("the store has no version {} of a job", version));
  return {text(rows[0][0]), text(rows[0][1]), text(rows[0][2]), text(rows[0][3])};
}

std::vector<engine::LimitSet> load_limits(Connection& connection) {
  std::vector<engine::LimitSet> limits;
  for (const auto& row : connection.exec("SELECT name, spec FROM godwit.limit_setting ORDER BY name"))
    limits.push_back({text(row[0]), model::parse_limit(text(row[1])).value_or(model::LimitSpec{}), text(row[1]).empty()});
  return limits;
}

std::vector<engine::QueueSet> load_queues(Connection& connection) {
  std::vector<engine::QueueSet> queues;
  for (const auto& row : connection.exec("SELECT name, who, at FROM godwit.queue_setting WHERE paused ORDER BY name"))
    queues.push_back({text(row[0]), true, text(row[1]), instant(row[2])});
  return queues;
}

std::vector<engine::StoredSchedule> load_schedules(Connection& connection) {
  std::vector<engine::StoredSchedule> schedules;
  for (const auto& row : connection.exec(
           "SELECT s.name, s.made_by, s.definition, s.paused, s.removed, s.since, "
           "(SELECT max(instant) FROM godwit.fire f WHERE f.schedule = s.name) FROM godwit.schedule s")) {
    auto& stored = schedules.emplace_back();
    stored.set = {text(row[0]),          static_cast<engine::ScheduleSet::MadeBy>(integer(row[1])), text(row[2]),
                  view(row[3]) == "t", view(row[4]) == "t",                                       instant(row[5])};
    if (!row[6].is_null()) stored.last_fire = instant(row[6]);
  }
  return schedules;
}

engine::OpenFires open_fires(Connection& connection, const std::string& schedule, base::Instant instant) {
  engine::OpenFires fires;
  for (const auto& row : connection.query(
           "SELECT f.run FROM (SELECT run FROM godwit.fire WHERE schedule = $1 AND run IS NOT NULL ORDER BY instant DESC LIMIT 64) f "
           "WHERE NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = f.run) "
           // One that was deleted, its time being over, has left its fire only.
           "AND EXISTS (SELECT FROM godwit.run r WHERE r.id = f.run) ORDER BY f.run",
           schedule))
    fires.runs.push_back(run_id(row[0]));
  for (const auto& row : connection.query(
           "SELECT run, why FROM godwit.fire WHERE schedule = $1 AND instant = to_timestamp($2::bigint / 1000000) + make_interval(secs => "
           "($2::bigint % 1000000) / 1000000.0)",
           schedule, base::to_microseconds(instant)))
    row[0].is_null() ? void(fires.skipped = text(row[1])) : void(fires.taken = run_id(row[0]));
  return fires;
}

std::vector<engine::InboxEntry> read_inbox(Connection& connection, std::size_t limit) {
  std::vector<engine::InboxEntry> entries;
  for (const auto& row : connection.query(
           "SELECT run, job, params, key, submitted_by, submitted_at FROM godwit.inbox ORDER BY run LIMIT $1", limit))
    entries.push_back({run_id(row[0]), text(row[1]), text(row[2]), text(row[3]), text(row[4]), instant(row[5])});
  return entries;
}

std::vector<model::RunId> take_run_numbers(Connection& connection, std::size_t count) {
  std::vector<model::RunId> runs;
  runs.reserve(count);
  for (const auto& row : connection.query("SELECT nextval('godwit.run_number') FROM generate_series(1, $1)", count))
    runs.push_back(run_id(row[0]));
  return runs;
}

}  // namespace godwit::store
