#include "bench/floor.hpp"

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace godwit::bench {
namespace {

constexpr int kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kTimestamp = 1184;

// A one-dimensional array in PostgreSQL's binary form (src/backend/utils/adt/arrayfuncs.c describes it): dimensions,
// has-null flag, element type, length, lower bound, then each element behind its length.
class BinaryArray {
 public:
  BinaryArray(int element_type, int count) {
    for (const int value : {1, 0, element_type, count, 1}) put(static_cast<std::uint64_t>(value), 4);
  }
  void add(std::uint64_t value, int size) {
    put(static_cast<std::uint64_t>(size), 4);
    put(value, size);
  }
  void add(std::string_view value) {
    put(value.size(), 4);
    bytes_.append(value);
  }
  const char* data() const { return bytes_.data(); }
  int size() const { return static_cast<int>(bytes_.size()); }

 private:
  void put(std::uint64_t value, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes_ += static_cast<char>(value >> shift);
  }
  std::string bytes_;
};

// The rows of one statement, column by column.
class Rows {
 public:
  explicit Rows(int count) : count_(count) {}
  // `value` gives the text of a row.
  template <typename Value>
  Rows& texts(Value value) {
    auto& column = columns_.emplace_back(kText, count_);
    for (int i = 0; i < count_; ++i) column.add(value(i));
    return *this;
  }
  template <typename Value>
  Rows& numbers(int type, Value value) {
    auto& column = columns_.emplace_back(type, count_);
    const int size = type == kInt2 ? 2 : type == kInt4 ? 4 : 8;
    for (int i = 0; i < count_; ++i) column.add(static_cast<std::uint64_t>(value(i)), size);
    return *this;
  }
  const std::vector<BinaryArray>& columns() const { return columns_; }

 private:
  int count_;
  std::vector<BinaryArray> columns_;
};

void execute(PGconn* connection, const char* statement, const std::vector<const Rows*>& all) {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const Rows* rows : all)
    for (const auto& column : rows->columns()) {
      values.push_back(column.data());
      lengths.push_back(column.size());
      formats.push_back(1);
    }
  PGresult* result = PQexecPrepared(connection, statement, static_cast<int>(values.size()), values.data(), lengths.data(),
                                    formats.data(), 1);
  const bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
  PQclear(result);
  if (!ok) throw std::runtime_error(PQerrorMessage(connection));
}

constexpr std::int64_t kNow = 800'000'000'000'000;  // microseconds since 2000
const std::string kVersion(64, 'a');
const std::string kPins = R"({"noop":{"callable":"test.noop","plugin":"test.noop","version":"1.0.0"}})";

Rows submits_from(std::int64_t first, int count, const std::string& params) {
  Rows rows(count);
  const auto number = [first](int i) { return first + i; };
  rows.numbers(kInt8, number).numbers(kInt8, number).numbers(kTimestamp, [](int) { return kNow; });
  rows.texts([](int) { return "noop"; }).texts([](int) { return kVersion; }).texts([](int) { return "root"; });
  rows.texts([&](int) { return params; }).texts([](int) { return kPins; });
  return rows;
}

Rows steps_from(std::int64_t first_run, int count, int per_run, std::int64_t first_step, const std::string& output) {
  Rows rows(count);
  rows.numbers(kInt8, [=](int i) { return first_run + i / per_run; });
  rows.texts([=](int i) { return "step_" + std::to_string((first_step + i) % per_run); });
  rows.numbers(kInt2, [](int) { return 0; }).numbers(kInt4, [](int) { return 1; }).numbers(kInt8, [](int) { return 12345678901234; });
  rows.texts([&](int) { return output; });
  rows.numbers(kTimestamp, [](int) { return kNow; }).numbers(kTimestamp, [](int) { return kNow; });
  return rows;
}

Rows ends_from(std::int64_t first, int count) {
  Rows rows(count);
  rows.numbers(kInt8, [=](int i) { return first + i; }).numbers(kInt2, [](int) { return 5; });
  rows.texts([](int) { return "\"done\""; }).numbers(kTimestamp, [](int) { return kNow; });
  return rows;
}

const std::string kInsertRuns =
    "insert into bench_floor.run (node, number, id, submitted_at, job, version, submitted_by, params, pins) select 1, * from "
    "unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])";
const std::string kInsertSteps =
    "insert into bench_floor.step (run, path, state, attempt, args_hash, output, started_at, finished_at) select * from "
    "unnest($1::bigint[], $2::text[], $3::smallint[], $4::integer[], $5::bigint[], $6::text[], $7::timestamptz[], $8::timestamptz[])";
const std::string kInsertAll =
    "with runs as (" + kInsertRuns +
    "), ends as (insert into bench_floor.run_done (run, state, result, finished_at) select * from unnest($9::bigint[], "
    "$10::smallint[], $11::text[], $12::timestamptz[])) insert into bench_floor.step (run, path, state, attempt, args_hash, output, "
    "started_at, finished_at) select * from unnest($13::bigint[], $14::text[], $15::smallint[], $16::integer[], $17::bigint[], "
    "$18::text[], $19::timestamptz[], $20::timestamptz[])";

std::string payload() {
  return "{\"text\":\"" + std::string(204 - 11, 'x') + "\"}";
}

}  // namespace

Floor::Floor(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
  exec("drop schema if exists bench_floor cascade; create schema bench_floor; set plan_cache_mode = force_generic_plan");
  for (const char* table : {"run", "step", "run_done"})
    exec("create table bench_floor." + std::string(table) + " (like godwit." + table + " including all)");
  const std::pair<const char*, std::string> statements[] = {{"runs", kInsertRuns}, {"steps", kInsertSteps}, {"all", kInsertAll}};
  for (const auto& [name, sql] : statements) {
    PGresult* result = PQprepare(static_cast<PGconn*>(connection_), name, sql.c_str(), 0, nullptr);
    const bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!ok) throw std::runtime_error(PQerrorMessage(static_cast<PGconn*>(connection_)));
  }
}

Floor::~Floor() {
  PQclear(PQexec(static_cast<PGconn*>(connection_), "drop schema bench_floor cascade"));
  PQfinish(static_cast<PGconn*>(connection_));
}

void Floor::exec(const std::string& sql) {
  PGresult* result = PQexec(static_cast<PGconn*>(connection_), sql.c_str());
  const auto status = PQresultStatus(result);
  PQclear(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    throw std::runtime_error(PQerrorMessage(static_cast<PGconn*>(connection_)));
}

template <typename Write>
double Floor::rate(int batch, double seconds, Write write) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  long long rows = 0;
  double elapsed = 0;
  while (elapsed < seconds) {
    write();
    rows += batch;
    elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return static_cast<double>(rows) / elapsed;
}

double Floor::steps(int batch, int steps_per_run, double seconds) {
  auto* connection = static_cast<PGconn*>(connection_);
  const std::string output = payload();
  const int runs = batch / steps_per_run;
  // Less than a run at once: its own rows are too few to count.
  if (runs == 0) {
    const std::int64_t run = next_++;
    std::int64_t step = 0;
    return rate(batch, seconds, [&] {
      const Rows steps = steps_from(run + step / steps_per_run, batch, steps_per_run, step, output);
      execute(connection, "steps", {&steps});
      step += batch;
      next_ = run + step / steps_per_run + 1;
    });
  }
  return rate(batch, seconds, [&] {
    const Rows submits = submits_from(next_, runs, "{}"), ends = ends_from(next_, runs),
               steps = steps_from(next_, batch, steps_per_run, 0, output);
    execute(connection, "all", {&submits, &ends, &steps});
    next_ += runs;
  });
}

double Floor::submits(int batch, double seconds) {
  return rate(batch, seconds, [&] {
    const Rows rows = submits_from(next_, batch, "{}");
    execute(static_cast<PGconn*>(connection_), "runs", {&rows});
    next_ += batch;
  });
}

}  // namespace godwit::bench
