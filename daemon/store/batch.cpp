#include "store/batch.hpp"

#include "base/digest.hpp"
#include "base/json_text.hpp"

namespace godwit::store {
namespace {

namespace json = base::json;

// NULL for what is empty, where the column says so.
struct OrNull {
  std::string_view text;
};
struct Null {};

void put_value(ArrayColumn& column, std::int64_t value) {
  column.add(value);
}
void put_value(ArrayColumn& column, model::RunId value) {
  column.add(model::number(value));
}
void put_value(ArrayColumn& column, std::string_view value) {
  column.add(value);
}
void put_value(ArrayColumn& column, base::Instant value) {
  column.add(value);
}
void put_value(ArrayColumn& column, OrNull value) {
  column.add_or_null(value.text);
}
void put_value(ArrayColumn& column, Null) {
  column.add_null();
}
void put_value(ArrayColumn& column, const std::optional<base::Instant>& value) {
  value ? column.add(*value) : column.add_null();
}
void put_value(ArrayColumn& column, const std::optional<model::RunId>& value) {
  value ? column.add(model::number(*value)) : column.add_null();
}
void put_value(ArrayColumn& column, const std::optional<model::Failure>& value) {
  value ? column.add(failure_text(*value)) : column.add_null();
}
void put_value(ArrayColumn& column, const model::Failure& value) {
  column.add(failure_text(value));
}

template <typename Enum>
std::int64_t code(Enum value) {
  return static_cast<std::int64_t>(value);
}

enum Phase : std::int64_t { kPhaseStarted = 0, kPhaseFailed = 1 };

// A larger output is an artifact: listed with its hash, and shown as one instead of being printed. Its bytes stay with
// the step, where every node has them.
constexpr std::size_t kOutputInlineMax = 256u << 10;
constexpr std::string_view kOutputName = "output";
constexpr std::string_view kOutputMediaType = "application/json";
// Where the bytes of an artifact are.
constexpr std::int64_t kInFile = 0;
constexpr std::int64_t kInStep = 1;

}  // namespace

Batch::Batch(FactNumbers& numbers) : numbers_(numbers) {
  rows_.resize(kRowsCount);
  for (std::size_t i = 0; i < kRowsCount; ++i)
    for (const auto& column : info(Rows(i)).columns) rows_[i].emplace_back(column.type);
}

void Batch::clear() {
  for (std::size_t i = 0; i < kRowsCount; ++i)
    if (mask_ & bit(Rows(i)))
      for (auto& column : rows_[i]) column.clear();
  mask_ = 0;
  checkpoints_.clear();
  cursors_.clear();
  rests_.clear();
  progress_.clear();
  limits_.clear();
  queues_.clear();
  schedules_.clear();
  versions_.clear();
  folds_.clear();
  ended_.clear();
  submitted_.clear();
}

void Batch::add(const engine::Fact& fact) {
  std::visit([this](const auto& it) { put(it); }, fact);
}

void Batch::expect(const engine::Fact& fact) {
  const auto* moved = std::get_if<engine::CursorMoved>(&fact);
  if (moved && !moved->folded.empty()) folds_[moved->run].insert(moved->folded.begin(), moved->folded.end());
}

// Whether the step, or one that it is part of, is folded away by this batch.
bool Batch::is_folded(model::RunId run, std::string_view path) const {
  const auto folds = folds_.find(run);
  if (folds == folds_.end()) return false;
  for (auto end = path.find('/'); end != path.npos; end = path.find('/', end + 1))
    if (folds->second.contains(path.substr(0, end))) return true;
  return folds->second.contains(path);
}

void Batch::finish() {
  for (const auto& [key, fact] : checkpoints_)
    row(Rows::checkpoint, fact->run, fact->path, fact->key, numbers_.next(), fact->value);
  for (const auto& [key, fact] : cursors_) row(Rows::cursor, fact->run, fact->path, numbers_.next(), fact->value);
  for (const auto& [run, fact] : rests_)
    row(Rows::rest, run, numbers_.next(), std::int64_t(fact.resting), fact.wake_at);
  for (const auto& [run, fact] : progress_) row(Rows::progress, run, numbers_.next(), fact->progress);
  for (const auto& [name, fact] : limits_) 
    row(Rows::limit_setting, name, numbers_.next(), fact->removed ? std::string() : model::format_limit(fact->spec));
  for (const auto& [name, fact] : queues_)
    row(Rows::queue_setting, name, numbers_.next(), std::int64_t(fact->paused), fact->who, fact->at);
  for (const auto& [name, fact] : schedules_)
    row(Rows::schedule, name, numbers_.next(), code(fact->made_by), fact->definition, std::int64_t(fact->paused),
        std::int64_t(fact->removed), fact->since);
  checkpoints_.clear();
  cursors_.clear();
  rests_.clear();
  progress_.clear();
  limits_.clear();
  queues_.clear();
  schedules_.clear();
}

std::vector<ArrayColumn*> Batch::columns(RowsMask kinds) {
  std::vector<ArrayColumn*> columns;
  for (std::size_t i = 0; i < kRowsCount; ++i)
    if (kinds & bit(Rows(i)))
      for (auto& column : rows_[i]) columns.push_back(&column);
  return columns;
}

template <typename... Values>
void Batch::row(Rows rows, const Values&... values) {
  mask_ |= bit(rows);
  auto* column = rows_[static_cast<std::size_t>(rows)].data();
  (put_value(*column++, values), ...);
}

void Batch::put(const engine::JobStored& fact) {
  if (versions_.insert(fact.version).second) row(Rows::job_version, fact.version, fact.job, fact.file, fact.text);
}

void Batch::put(const engine::Submitted& fact) {
  submitted_.push_back(model::number(fact.run));
  if (fact.key.empty() && !fact.retry_of && !fact.parent && fact.options.empty())
    row(Rows::plain_run, numbers_.next(), fact.run, fact.job, fact.version, fact.params, fact.submitted_by,
        fact.submitted_at, fact.pins);
  else
    row(Rows::run, numbers_.next(), fact.run, fact.job, fact.version, fact.params, OrNull{fact.key}, fact.submitted_by,
        fact.submitted_at, fact.pins, fact.retry_of, fact.parent, OrNull{fact.parent_path}, OrNull{fact.options});
  // The SQL function has entered the key already, in the transaction of the submit.
  if (fact.from_inbox)
    row(Rows::inbox_taken, fact.run);
  else if (!fact.key.empty())
    row(Rows::run_key, fact.job, fact.key, fact.run);
  if (fact.unique_from)
    row(Rows::unique_moved, fact.run, *fact.unique_from);
  else if (!fact.unique.empty())
    row(Rows::run_unique, fact.job, fact.unique, fact.run);
  if (fact.retry_of)
    for (const auto& path : fact.copied_steps) for (const Rows rows : {Rows::copied_step, Rows::copied_artifact}) row(rows, fact.run, *fact.retry_of, path);
}

void Batch::put(const engine::AttemptStarted& fact) {
  if (is_folded(fact.run, fact.path)) return;
  row(Rows::attempt, fact.run, fact.path, std::int64_t(fact.attempt), std::int64_t(kPhaseStarted), Null{}, fact.at,
      Null{});
}

void Batch::put(const engine::AttemptFailed& fact) {
  if (is_folded(fact.run, fact.path)) return;
  row(Rows::attempt, fact.run, fact.path, std::int64_t(fact.attempt), std::int64_t(kPhaseFailed), fact.failure, fact.at,
      fact.next_at);
}

void Batch::put(const engine::StepDone& fact) {
  if (!is_folded(fact.run, fact.path))
    row(Rows::step, fact.run, fact.path, code(fact.state), std::int64_t(fact.attempt), fact.args_hash,
        OrNull{fact.output}, fact.failure, fact.started_at, fact.finished_at, OrNull{fact.line});
  if (fact.output.size() > kOutputInlineMax)
    row(Rows::artifact, fact.run, fact.path, base::sha256_hex(fact.output), kOutputName, numbers_.next(),
        static_cast<std::int64_t>(fact.output.size()), kOutputMediaType, fact.finished_at, kInStep);
  std::int64_t ordinal = 0;
  for (const auto& emitted : fact.emitted)
    row(Rows::emitted, fact.run, fact.path, ordinal++, numbers_.next(), emitted.topic, emitted.row, fact.finished_at);
}

void Batch::put(const engine::CheckpointPut& fact) {
  checkpoints_[{fact.run, fact.path, fact.key}] = &fact;
}
void Batch::put(const engine::ProgressNoted& fact) {
  progress_[fact.run] = &fact;
}
void Batch::put(const engine::LimitSet& fact) {
  limits_[fact.name] = &fact;
}

void Batch::put(const engine::QueueSet& fact) {
  queues_[fact.name] = &fact;
}

void Batch::put(const engine::WaitOpened& fact) {
  if (is_folded(fact.run, fact.path)) return;
  row(Rows::wait, fact.run, fact.path, code(fact.kind), fact.at, fact.until, OrNull{fact.name}, fact.child,
      OrNull{fact.detail});
}

void Batch::put(const engine::SignalSent& fact) {
  const engine::Signal& signal = fact.signal;
  row(Rows::signal, fact.run, signal.number, signal.name, signal.payload, signal.who, signal.at);
  if (fact.from_inbox) row(Rows::signal_inbox_taken, signal.number);
  rests_[fact.run] = {fact.run, false, {}};
}

void Batch::put(const engine::SignalTaken& fact) {
  row(Rows::signal_taken, fact.run, fact.number);
}

void Batch::put(const engine::RunRested& fact) {
  rests_[fact.run] = fact;
}

void Batch::put(const engine::RunReleased& fact) {
  row(Rows::released, fact.run, numbers_.next());
}

void Batch::put(const engine::CursorMoved& fact) {
  cursors_[{fact.run, fact.path}] = &fact;
  for (const auto& path : fact.folded)
    for (const Rows rows : {Rows::folded_step, Rows::folded_attempt, Rows::folded_wait}) row(rows, fact.run, path);
}

void Batch::put(const engine::ScheduleSet& fact) {
  schedules_[fact.name] = &fact;
}
void Batch::put(const engine::Fired& fact) {
  row(fact.made_up ? Rows::fire_made_up : Rows::fire, fact.schedule, fact.instant, fact.run);
}
void Batch::put(const engine::FireSkipped& fact) {
  row(Rows::fire_skipped, fact.schedule, fact.instant, fact.why, fact.at);
}

void Batch::put(const engine::LockReleased& fact) {
  row(Rows::lock_released, fact.run, fact.path);
}

void Batch::put(const engine::RunChanged& fact) {
  // Only the owner says whether a run rests.
  if (fact.elsewhere)
    row(Rows::mail, fact.run);
  else
    rests_[fact.run] = {fact.run, false, {}};
  if (fact.change == engine::RunChange::closing) row(Rows::locks_closed, fact.run);
  row(Rows::run_change, fact.run, numbers_.next(), code(fact.change), fact.who, fact.detail, fact.path, fact.at,
      OrNull{fact.sides});
}

void Batch::put(const engine::RunDone& fact) {
  ended_.push_back(model::number(fact.run));
  if (fact.was_unique) row(Rows::unique_done, fact.run);
  if (fact.had_locks) row(Rows::locks_done, fact.run);
  if (fact.delete_at) row(Rows::expiry, fact.run, *fact.delete_at);
  if (fact.parent && fact.parent_elsewhere)
    row(Rows::mail, *fact.parent);
  else if (fact.parent)
    rests_[*fact.parent] = {*fact.parent, false, {}};
  row(Rows::run_done, fact.run, code(fact.state), OrNull{fact.result}, fact.failure, OrNull{fact.failed_path}, fact.at);
}

void Batch::put(const engine::Audited& fact) {
  row(Rows::audit, numbers_.next(), fact.uid, fact.who, fact.command, fact.target, fact.detail, fact.at);
}

void Batch::put(const engine::ArtifactStored& fact) {
  row(Rows::artifact, fact.run, fact.path, fact.artifact.sha256, fact.artifact.name, numbers_.next(),
      static_cast<std::int64_t>(fact.artifact.size), fact.artifact.media_type, fact.at, kInFile);
}

void Batch::put(const engine::Logged& fact) {
  row(Rows::log, fact.run, numbers_.next(), fact.path, code(fact.level), fact.stream, fact.text, OrNull{fact.fields},
      fact.at);
}

namespace {

// The overhead of a row in arrays, numbers and headers.
constexpr std::size_t kRowSize = 100;

struct Measure {
  std::size_t operator()(const engine::JobStored& f) const {
    return f.version.size() + f.job.size() + f.file.size() + f.text.size();
  }
  std::size_t operator()(const engine::Submitted& f) const {
    std::size_t size = f.params.size() + f.pins.size() + f.key.size() + f.submitted_by.size() + f.job.size() +
                       f.version.size() + f.parent_path.size() + f.options.size();
    for (const auto& path : f.copied_steps) size += path.size() + 24;
    return size;
  }
  std::size_t operator()(const engine::AttemptStarted& f) const { return f.path.size(); }
  std::size_t operator()(const engine::AttemptFailed& f) const { return f.path.size() + f.failure.message.size(); }
  std::size_t operator()(const engine::StepDone& f) const {
    std::size_t size = f.path.size() + f.output.size() + (f.failure ? f.failure->message.size() : 0);
    for (const auto& emitted : f.emitted) size += kRowSize + emitted.topic.size() + emitted.row.size();
    return size;
  }
  std::size_t operator()(const engine::CheckpointPut& f) const { return f.path.size() + f.key.size() + f.value.size(); }
  std::size_t operator()(const engine::WaitOpened& f) const { return f.path.size() + f.name.size() + f.detail.size(); }
  std::size_t operator()(const engine::SignalSent& f) const {
    return f.signal.name.size() + f.signal.payload.size() + f.signal.who.size();
  }
  std::size_t operator()(const engine::SignalTaken&) const { return 0; }
  std::size_t operator()(const engine::RunRested&) const { return 0; }
  std::size_t operator()(const engine::RunReleased&) const { return 0; }
  std::size_t operator()(const engine::CursorMoved& f) const {
    std::size_t size = f.path.size() + f.value.size();
    for (const auto& path : f.folded) size += kRowSize + path.size();
    return size;
  }
  std::size_t operator()(const engine::LockReleased& f) const { return f.path.size() + f.name.size(); }
  std::size_t operator()(const engine::RunChanged& f) const {
    return f.who.size() + f.detail.size() + f.path.size() + f.sides.size();
  }
  std::size_t operator()(const engine::RunDone& f) const {
    return f.result.size() + (f.failure ? f.failure->message.size() : 0);
  }
  std::size_t operator()(const engine::LimitSet& f) const { return f.name.size(); }
  std::size_t operator()(const engine::QueueSet& f) const { return f.name.size() + f.who.size(); }
  std::size_t operator()(const engine::ScheduleSet& f) const { return f.name.size() + f.definition.size(); }
  std::size_t operator()(const engine::Fired& f) const { return f.schedule.size(); }
  std::size_t operator()(const engine::FireSkipped& f) const { return f.schedule.size() + f.why.size(); }
  std::size_t operator()(const engine::Audited& f) const {
    return f.who.size() + f.command.size() + f.target.size() + f.detail.size();
  }
  std::size_t operator()(const engine::ArtifactStored& f) const {
    return f.path.size() + f.artifact.name.size() + f.artifact.media_type.size() + f.artifact.sha256.size();
  }
  std::size_t operator()(const engine::ProgressNoted& f) const { return f.progress.size(); }
  std::size_t operator()(const engine::Logged& f) const { return f.path.size() + f.text.size() + f.fields.size(); }
};

}  // namespace

std::size_t size_of(const engine::Fact& fact) {
  return kRowSize + std::visit(Measure{}, fact);
}

std::string failure_text(const model::Failure& failure) {
  json::object object{{"code", failure.code}, {"message", failure.message}, {"retryable", failure.retryable}};
  if (failure.retry_after) object["retry_after"] = base::format_duration(*failure.retry_after);
  return base::serialize(object);
}

model::Failure parse_failure(std::string_view text) {
  model::Failure failure;
  if (text.empty()) return failure;
  const json::value value = base::parse_json(text);
  const json::object& object = value.as_object();
  failure.code = json::value_to<std::string>(object.at("code"));
  failure.message = json::value_to<std::string>(object.at("message"));
  failure.retryable = object.at("retryable").as_bool();
  if (const auto* after = object.if_contains("retry_after"))
    failure.retry_after = base::parse_duration(after->as_string());
  return failure;
}

}  // namespace godwit::store
