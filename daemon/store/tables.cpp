#include "store/tables.hpp"

#include <spdlog/fmt/fmt.h>

#include <stdexcept>

namespace godwit::store {
namespace {

using enum ColumnType;

constexpr std::array kColumnTypes{
    ColumnTypeInfo{smallint, "smallint", 21, 2},
    ColumnTypeInfo{integer, "integer", 23, 4},
    ColumnTypeInfo{bigint, "bigint", 20, 8},
    ColumnTypeInfo{text, "text", 25, 0},
    ColumnTypeInfo{timestamptz, "timestamptz", 1184, 8},
};

constexpr std::array kJobVersion{Column{"version", text}, Column{"job", text}, Column{"file", text},
                                 Column{"text", text}};
constexpr std::array kRun{Column{"number", bigint},     Column{"id", bigint},
                          Column{"job", text},          Column{"version", text},
                          Column{"params", text},       Column{"key", text},
                          Column{"submitted_by", text}, Column{"submitted_at", timestamptz},
                          Column{"pins", text},         Column{"retry_of", bigint},
                          Column{"parent", bigint},     Column{"parent_path", text},
                          Column{"options", text}};
// Of a run that is nobody's child and has nothing that most have not: five columns less to take apart.
constexpr std::array kPlainRun{Column{"number", bigint},     Column{"id", bigint},   Column{"job", text},
                               Column{"version", text},      Column{"params", text}, Column{"submitted_by", text},
                               Column{"submitted_at", timestamptz}, Column{"pins", text}};
constexpr std::array kRunKey{Column{"job", text}, Column{"key", text}, Column{"run", bigint}};
constexpr std::array kInboxTaken{Column{"run", bigint}};
constexpr std::array kCopiedStep{Column{"run", bigint}, Column{"source", bigint}, Column{"path", text}};
constexpr std::array kAttempt{Column{"run", bigint},         Column{"path", text},    Column{"attempt", integer},
                              Column{"phase", smallint},     Column{"failure", text}, Column{"at", timestamptz},
                              Column{"next_at", timestamptz}};
constexpr std::array kStep{Column{"run", bigint},
                           Column{"path", text},
                           Column{"state", smallint},
                           Column{"attempt", integer},
                           Column{"args_hash", bigint},
                           Column{"output", text},
                           Column{"failure", text},
                           Column{"started_at", timestamptz},
                           Column{"finished_at", timestamptz},
                           Column{"line", text}};
constexpr std::array kEmitted{
    Column{"run", bigint}, Column{"path", text}, Column{"ordinal", integer},       Column{"number", bigint},
    Column{"topic", text}, Column{"row", text},  Column{"emitted_at", timestamptz}};
constexpr std::array kCheckpoint{Column{"run", bigint}, Column{"path", text}, Column{"key", text},
                                 Column{"number", bigint}, Column{"value", text}};
constexpr std::array kWait{Column{"run", bigint},     Column{"path", text},         Column{"kind", smallint},
                           Column{"at", timestamptz}, Column{"until", timestamptz}, Column{"name", text},
                           Column{"child", bigint},   Column{"detail", text}};
constexpr std::array kSignal{Column{"run", bigint},   Column{"number", bigint}, Column{"name", text},
                             Column{"payload", text}, Column{"who", text},      Column{"at", timestamptz}};
constexpr std::array kSignalInboxTaken{Column{"number", bigint}};
constexpr std::array kSignalTaken{Column{"run", bigint}, Column{"number", bigint}};
constexpr std::array kRest{Column{"run", bigint}, Column{"number", bigint}, Column{"resting", smallint},
                           Column{"wake_at", timestamptz}};
constexpr std::array kReleased{Column{"run", bigint}, Column{"number", bigint}};
constexpr std::array kRunOnly{Column{"run", bigint}};
constexpr std::array kCursor{Column{"run", bigint}, Column{"path", text}, Column{"number", bigint},
                             Column{"value", text}};
constexpr std::array kFolded{Column{"run", bigint}, Column{"path", text}};
constexpr std::array kUniqueMoved{Column{"run", bigint}, Column{"from_run", bigint}};
constexpr std::array kExpiry{Column{"run", bigint}, Column{"at", timestamptz}};
constexpr std::array kRunChange{Column{"run", bigint},     Column{"number", bigint}, Column{"change", smallint},
                                Column{"who", text},       Column{"detail", text},   Column{"path", text},
                                Column{"at", timestamptz}, Column{"sides", text}};
constexpr std::array kRunDone{Column{"run", bigint},   Column{"state", smallint},   Column{"result", text},
                              Column{"failure", text}, Column{"failed_path", text}, Column{"finished_at", timestamptz}};
constexpr std::array kLimitSetting{Column{"name", text}, Column{"number", bigint}, Column{"spec", text}};
constexpr std::array kQueueSetting{Column{"name", text}, Column{"number", bigint}, Column{"paused", smallint},
                                   Column{"who", text}, Column{"at", timestamptz}};
constexpr std::array kSchedule{Column{"name", text},       Column{"number", bigint},    Column{"made_by", smallint},
                               Column{"definition", text}, Column{"paused", smallint}, Column{"removed", smallint},
                               Column{"since", timestamptz}};
constexpr std::array kFire{Column{"schedule", text}, Column{"instant", timestamptz}, Column{"run", bigint}};
constexpr std::array kFireSkipped{Column{"schedule", text}, Column{"instant", timestamptz}, Column{"why", text},
                                  Column{"at", timestamptz}};
constexpr std::array kAudit{Column{"number", bigint}, Column{"uid", bigint},  Column{"who", text},
                            Column{"command", text},  Column{"target", text}, Column{"detail", text},
                            Column{"at", timestamptz}};
constexpr std::array kArtifact{
    Column{"run", bigint},    Column{"path", text},   Column{"sha256", text},     Column{"name", text},
    Column{"number", bigint}, Column{"size", bigint}, Column{"media_type", text}, Column{"stored_at", timestamptz},
    Column{"in_step", smallint}};
constexpr std::array kProgress{Column{"run", bigint}, Column{"number", bigint}, Column{"progress", text}};
constexpr std::array kLog{Column{"run", bigint},     Column{"number", bigint}, Column{"path", text},
                          Column{"level", smallint}, Column{"stream", text},   Column{"line", text},
                          Column{"fields", text},    Column{"at", timestamptz}};

// The own earlier row is passed over. Another node's, which was faster to take the same submit by SQL, must fail in every
// form: a node of NULL is refused.
constexpr auto kOwnEarlierRun =
    " ON CONFLICT (id) DO UPDATE SET node = CASE WHEN run.node = excluded.node THEN run.node END";

// Rows with a value that is replaced carry the number of their fact, so that an old statement that arrives late cannot
// undo a newer one. What belongs to no run (limits, queues, schedules) is anybody's to change: between the blocks of numbers of
// two nodes the later commit counts.
constexpr std::array<TableInfo, kRowsCount> kTables{
    TableInfo{
        Rows::job_version, "job_version", kJobVersion,
        "INSERT INTO godwit.job_version (version, job, file, text) SELECT u.* FROM fence, {} ON CONFLICT DO NOTHING",
        ""},
    TableInfo{Rows::run, "run", kRun,
              "INSERT INTO godwit.run (node, number, id, job, version, params, key, submitted_by, submitted_at, pins, "
              "retry_of, parent, parent_path, options) "
              "SELECT fence.id, u.* FROM fence, {}",
              kOwnEarlierRun},
    TableInfo{Rows::plain_run, "plain_run", kPlainRun,
              "INSERT INTO godwit.run (node, number, id, job, version, params, submitted_by, submitted_at, pins) "
              "SELECT fence.id, u.* FROM fence, {}",
              kOwnEarlierRun},
    // The conflict named here is the run's own earlier row only: a key that another run holds must fail in every form.
    TableInfo{Rows::run_key, "run_key", kRunKey, "INSERT INTO godwit.run_key (job, key, run) SELECT u.* FROM fence, {}",
              " ON CONFLICT (run) DO NOTHING"},
    TableInfo{Rows::run_unique, "run_unique", kRunKey,
              "INSERT INTO godwit.run_unique (job, key, run) SELECT u.* FROM fence, {}",
              " ON CONFLICT (run) DO NOTHING"},
    // From a run that ends with the same statement; when it is repeated, there is nothing left to move.
    TableInfo{Rows::unique_moved, "unique_moved", kUniqueMoved,
              "UPDATE godwit.run_unique AS t SET run = u.run FROM fence, {} (run, from_run) WHERE t.run = u.from_run",
              ""},
    TableInfo{Rows::inbox_taken, "inbox_taken", kInboxTaken,
              "DELETE FROM godwit.inbox USING fence, {} (taken) WHERE inbox.run = u.taken", ""},
    TableInfo{
        Rows::copied_step, "copied_step", kCopiedStep,
        "INSERT INTO godwit.step (run, path, state, attempt, args_hash, output, failure, started_at, finished_at, line) "
        "SELECT u.target, s.path, s.state, s.attempt, s.args_hash, s.output, s.failure, s.started_at, s.finished_at, s.line "
        "FROM fence, {} (target, source, path) JOIN godwit.step s ON s.run = u.source AND s.path = u.path COLLATE "
        "\"C\"",
        " ON CONFLICT DO NOTHING"},
    // The files that those steps made are the new run's as well: they are kept for as long as either is.
    TableInfo{
        Rows::copied_artifact, "copied_artifact", kCopiedStep,
        "INSERT INTO godwit.artifact (run, path, sha256, name, number, size, media_type, stored_at, in_step) "
        "SELECT u.target, a.path, a.sha256, a.name, a.number, a.size, a.media_type, a.stored_at, a.in_step "
        "FROM fence, {} (target, source, path) JOIN godwit.artifact a ON a.run = u.source AND a.path = u.path COLLATE "
        "\"C\" ON CONFLICT DO NOTHING",
        ""},
    TableInfo{Rows::attempt, "attempt", kAttempt,
              "INSERT INTO godwit.attempt (run, path, attempt, phase, failure, at, next_at) SELECT u.* FROM fence, {}",
              " ON CONFLICT DO NOTHING"},
    TableInfo{
        Rows::step, "step", kStep,
        "INSERT INTO godwit.step (run, path, state, attempt, args_hash, output, failure, started_at, finished_at, line) "
        "SELECT u.* FROM fence, {}",
        " ON CONFLICT DO NOTHING"},
    TableInfo{
        Rows::emitted, "emitted", kEmitted,
        "INSERT INTO godwit.emitted_row (run, path, ordinal, number, topic, row, emitted_at) SELECT u.* FROM fence, {}",
        " ON CONFLICT DO NOTHING"},
    TableInfo{Rows::checkpoint, "checkpoint", kCheckpoint,
              "INSERT INTO godwit.checkpoint AS t (run, path, key, number, value) SELECT u.* FROM fence, {} "
              "ON CONFLICT (run, path, key) DO UPDATE SET number = excluded.number, value = excluded.value WHERE "
              "t.number < excluded.number",
              ""},
    TableInfo{Rows::wait, "wait", kWait,
              "INSERT INTO godwit.wait (run, path, kind, at, until, name, child, detail) SELECT u.* FROM fence, {}",
              " ON CONFLICT DO NOTHING"},
    TableInfo{Rows::signal, "signal", kSignal,
              "INSERT INTO godwit.signal (run, number, name, payload, who, at) SELECT u.* FROM fence, {}",
              " ON CONFLICT DO NOTHING"},
    TableInfo{Rows::signal_inbox_taken, "signal_inbox_taken", kSignalInboxTaken,
              "DELETE FROM godwit.signal_inbox AS t USING fence, {} (taken) WHERE t.number = u.taken", ""},
    TableInfo{
        Rows::signal_taken, "signal_taken", kSignalTaken,
        "DELETE FROM godwit.signal AS t USING fence, {} (run, number) WHERE t.run = u.run AND t.number = u.number", ""},
    TableInfo{Rows::rest, "rest", kRest,
              "INSERT INTO godwit.rest AS t (node, run, number, resting, wake_at) SELECT fence.id, u.* FROM fence, {} "
              "ON CONFLICT (run) DO UPDATE SET number = excluded.number, resting = excluded.resting, wake_at = "
              "excluded.wake_at WHERE t.number < excluded.number",
              ""},
    // Of a run that this node has not folded yet, or has. What has been claimed since stays with who did, this node
    // included: a claim takes a greater block of numbers than any before.
    TableInfo{Rows::released, "released", kReleased,
              "INSERT INTO godwit.open_run AS t (node, run, block) SELECT 0, u.run, u.number >> 30 FROM fence, {} (run, number) "
              "ON CONFLICT (run) DO UPDATE SET node = 0 WHERE t.node = $1 AND t.block <= excluded.block",
              ""},
    TableInfo{Rows::mail, "mail", kRunOnly, "INSERT INTO godwit.mail (run) SELECT u.run FROM fence, {} (run)", ""},
    TableInfo{Rows::cursor, "cursor", kCursor,
              "INSERT INTO godwit.cursor AS t (run, path, number, value) SELECT u.* FROM fence, {} "
              "ON CONFLICT (run, path) DO UPDATE SET number = excluded.number, value = excluded.value WHERE t.number < "
              "excluded.number",
              ""},
    TableInfo{Rows::folded_step, "folded_step", kFolded,
              "DELETE FROM godwit.step AS t USING fence, {} (run, path) WHERE t.run = u.run AND t.path >= u.path "
              "COLLATE \"C\" "
              "AND t.path < (u.path || '0') COLLATE \"C\" AND (t.path = u.path OR starts_with(t.path, u.path || '/'))",
              ""},
    TableInfo{Rows::folded_attempt, "folded_attempt", kFolded,
              "DELETE FROM godwit.attempt AS t USING fence, {} (run, path) WHERE t.run = u.run AND t.path >= u.path "
              "COLLATE \"C\" "
              "AND t.path < (u.path || '0') COLLATE \"C\" AND (t.path = u.path OR starts_with(t.path, u.path || '/'))",
              ""},
    TableInfo{Rows::folded_wait, "folded_wait", kFolded,
              "DELETE FROM godwit.wait AS t USING fence, {} (run, path) WHERE t.run = u.run AND t.path >= u.path "
              "COLLATE \"C\" "
              "AND t.path < (u.path || '0') COLLATE \"C\" AND (t.path = u.path OR starts_with(t.path, u.path || '/'))",
              ""},
    TableInfo{Rows::lock_released, "lock_released", kFolded,
              "DELETE FROM godwit.lock AS t USING fence, {} (run, path) WHERE t.run = u.run AND t.path = u.path COLLATE "
              "\"C\"",
              ""},
    TableInfo{
        Rows::run_change, "run_change", kRunChange,
        "INSERT INTO godwit.run_change (run, number, change, who, detail, path, at, sides) SELECT u.* FROM fence, {}",
        " ON CONFLICT DO NOTHING"},
    TableInfo{
        Rows::run_done, "run_done", kRunDone,
        "INSERT INTO godwit.run_done (run, state, result, failure, failed_path, finished_at) SELECT u.* FROM fence, {}",
        " ON CONFLICT DO NOTHING"},
    TableInfo{Rows::unique_done, "unique_done", kInboxTaken,
              "DELETE FROM godwit.run_unique AS t USING fence, {} (ended) WHERE t.run = u.ended", ""},
    TableInfo{Rows::locks_done, "locks_done", kInboxTaken,
              "DELETE FROM godwit.lock AS t USING fence, {} (ended) WHERE t.run = u.ended", ""},
    // What the stages of the run's end ask for comes later; the run keeps its turn.
    TableInfo{Rows::locks_closed, "locks_closed", kInboxTaken,
              "DELETE FROM godwit.lock AS t USING fence, {} (closed) WHERE t.run = u.closed AND t.path <> ''", ""},
    TableInfo{Rows::expiry, "expiry", kExpiry, "INSERT INTO godwit.expiry (run, at) SELECT u.* FROM fence, {}",
              " ON CONFLICT DO NOTHING"},
    TableInfo{Rows::limit_setting, "limit_setting", kLimitSetting,
              "INSERT INTO godwit.limit_setting AS t (name, number, spec) SELECT u.* FROM fence, {} "
              "ON CONFLICT (name) DO UPDATE SET number = excluded.number, spec = excluded.spec WHERE t.number < "
              "excluded.number OR t.number >> 30 <> excluded.number >> 30",
              ""},
    TableInfo{Rows::queue_setting, "queue_setting", kQueueSetting,
              "INSERT INTO godwit.queue_setting AS t (name, number, paused, who, at) "
              "SELECT u.name, u.number, u.paused <> 0, u.who, u.at FROM fence, {} (name, number, paused, who, at) "
              "ON CONFLICT (name) DO UPDATE SET number = excluded.number, paused = excluded.paused, who = excluded.who, "
              "at = excluded.at WHERE t.number < excluded.number OR t.number >> 30 <> excluded.number >> 30",
              ""},
    TableInfo{Rows::schedule, "schedule", kSchedule,
              "INSERT INTO godwit.schedule AS t (name, number, made_by, definition, paused, removed, since) "
              "SELECT u.name, u.number, u.made_by, u.definition, u.paused <> 0, u.removed <> 0, u.since FROM fence, {} "
              "(name, number, made_by, definition, paused, removed, since) "
              "ON CONFLICT (name) DO UPDATE SET number = excluded.number, made_by = excluded.made_by, "
              "definition = excluded.definition, paused = excluded.paused, removed = excluded.removed, "
              "since = excluded.since WHERE t.number < excluded.number OR t.number >> 30 <> excluded.number >> 30",
              ""},
    // As with run_key: another record of the fire time must fail in every form, the run's own earlier row is passed
    // over.
    TableInfo{Rows::fire, "fire", kFire, "INSERT INTO godwit.fire (schedule, instant, run) SELECT u.* FROM fence, {}",
              " ON CONFLICT (run) DO NOTHING"},
    TableInfo{Rows::fire_made_up, "fire_made_up", kFire,
              "INSERT INTO godwit.fire AS t (schedule, instant, run) SELECT u.* FROM fence, {} ON CONFLICT (schedule, instant) "
              "DO UPDATE SET run = CASE WHEN t.run IS NULL OR t.run = excluded.run THEN excluded.run ELSE "
              "godwit.refuse_fire(t.run) END, why = NULL, at = NULL",
              ""},
    TableInfo{Rows::fire_skipped, "fire_skipped", kFireSkipped,
              "INSERT INTO godwit.fire (schedule, instant, why, at) SELECT u.* FROM fence, {} ON CONFLICT DO NOTHING", ""},
    TableInfo{Rows::audit, "audit", kAudit,
              "INSERT INTO godwit.audit (number, uid, who, command, target, detail, at) SELECT u.* FROM fence, {}",
              " ON CONFLICT DO NOTHING"},
    // A step that makes the same file again, in a later attempt or twice in one, has made it once.
    TableInfo{
        Rows::artifact, "artifact", kArtifact,
        "INSERT INTO godwit.artifact (run, path, sha256, name, number, size, media_type, stored_at, in_step) SELECT u.* "
        "FROM fence, {} ON CONFLICT DO NOTHING",
        ""},
    TableInfo{Rows::progress, "progress", kProgress,
              "INSERT INTO godwit.progress AS t (run, number, progress) SELECT u.* FROM fence, {} "
              "ON CONFLICT (run) DO UPDATE SET number = excluded.number, progress = excluded.progress WHERE t.number < "
              "excluded.number",
              ""},
    TableInfo{Rows::log, "log", kLog,
              "INSERT INTO godwit.log (run, number, path, level, stream, line, fields, at) SELECT u.* FROM fence, {}",
              " ON CONFLICT DO NOTHING"},
};

// One unnest for each column, for one of all of them would keep each column's values in a store of its own before the first
// row is made.
std::string unnest(const TableInfo& table, int& parameter) {
  std::string text = "(SELECT ";
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    text += fmt::format("{}unnest(${}::{}[])", i == 0 ? "" : ", ", parameter++, info(table.columns[i].type).name);
  return text + ") AS u";
}

}  // namespace

const ColumnTypeInfo& info(ColumnType type) {
  return kColumnTypes.at(static_cast<std::size_t>(type));
}
const TableInfo& info(Rows rows) {
  return kTables.at(static_cast<std::size_t>(rows));
}

std::string StatementForm::name() const {
  return fmt::format("j{:x}{}{}", mask, repeated ? "r" : "", relaxed ? "a" : "");
}

StatementForm bounded(StatementForm form, std::size_t others) {
  if (others >= kFormsMax) form.mask = (RowsMask(1) << kRowsCount) - 1;
  return form;
}

std::string journal_statement(const StatementForm& form) {
  // A key may be in the open transaction of an application, which may take its time: see Journal::park.
  const std::string_view patience =
      form.mask & bit(Rows::run_key) ? ", set_config('lock_timeout', '50ms', true)" : std::string_view();
  std::string sql = fmt::format(
      "WITH fence AS MATERIALIZED (SELECT id{} FROM godwit.node WHERE id = $1 AND epoch = $2 FOR SHARE)", patience);
  int parameter = 3;
  for (const auto& table : kTables) {
    if (!(form.mask & bit(table.rows))) continue;
    sql += fmt::format(", w_{} AS (", table.name);
    std::string body(table.statement);
    body.replace(body.find("{}"), 2, unnest(table, parameter));
    sql += body;
    if (form.repeated) sql += table.repeated;
    sql += ")";
  }
  sql += " SELECT count(*)";
  // The setting lasts until the end of this transaction, which is this statement.
  if (form.relaxed) sql += ", set_config('synchronous_commit', 'off', true)";
  return sql + " FROM fence";
}

}  // namespace godwit::store
