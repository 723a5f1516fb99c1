#include "bench/floor.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace godwit::bench {
namespace {

constexpr int kInt8 = 20, kText = 25;

// A one-dimensional array in PostgreSQL's binary form (src/backend/utils/adt/arrayfuncs.c describes it): dimensions,
// has-null flag, element type, length, lower bound, then each element behind its length.
class BinaryArray {
 public:
  BinaryArray(int element_type, int count) {
    for (const int value : {1, 0, element_type, count, 1}) put32(value);
  }
  void add(std::int64_t value) {
    put32(8);
    const std::uint64_t big = htobe64(static_cast<std::uint64_t>(value));
    append(&big, sizeof big);
  }
  void add(const std::string& value) {
    put32(static_cast<int>(value.size()));
    append(value.data(), value.size());
  }
  const char* data() const { return bytes_.data(); }
  int size() const { return static_cast<int>(bytes_.size()); }

 private:
  void put32(int value) {
    const std::uint32_t big = htonl(static_cast<std::uint32_t>(value));
    append(&big, sizeof big);
  }
  void append(const void* data, std::size_t size) {
    const char* from = static_cast<const char*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  std::vector<char> bytes_;
};

}  // namespace

Floor::Floor(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
  exec(
      "drop schema if exists bench_floor cascade; create schema bench_floor;"
      "create table bench_floor.step(run bigint, path text collate \"C\", output text, at timestamptz default now(), "
      "primary key(run, path));"
      "create table bench_floor.run(id bigint primary key, job text default 'noop', params text, at timestamptz "
      "default now());"
      "create index on bench_floor.run(at)");
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

double Floor::insert(const std::string& statement, int batch, double seconds, int parameters) {
  auto* connection = static_cast<PGconn*>(connection_);
  PQclear(PQexec(connection, "deallocate all"));
  PQclear(PQprepare(connection, "insert", statement.c_str(), 0, nullptr));
  const std::string payload = "{\"text\":\"" + std::string(204 - 11, 'x') + "\"}";
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  long long rows = 0;
  double elapsed = 0;
  while (elapsed < seconds) {
    BinaryArray ids(kInt8, batch), paths(kText, batch), payloads(kText, batch);
    for (int i = 0; i < batch; ++i) {
      ids.add(static_cast<std::int64_t>(next_++));
      paths.add(std::string("step_") + std::to_string(i % 10));
      payloads.add(payload);
    }
    const char* all_values[] = {ids.data(), payloads.data(), paths.data()};
    const int all_lengths[] = {ids.size(), payloads.size(), paths.size()};
    const int formats[] = {1, 1, 1};
    PGresult* result = PQexecPrepared(connection, "insert", parameters, all_values, all_lengths, formats, 0);
    const bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!ok) throw std::runtime_error(PQerrorMessage(connection));
    rows += batch;
    elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return static_cast<double>(rows) / elapsed;
}

double Floor::steps(int batch, double seconds) {
  return insert(
      "insert into bench_floor.step(run, output, path) select * from unnest($1::bigint[], $2::text[], $3::text[])",
      batch, seconds, 3);
}

double Floor::submits(int batch, double seconds) {
  return insert("insert into bench_floor.run(id, params) select * from unnest($1::bigint[], $2::text[])", batch,
                seconds, 2);
}

}  // namespace godwit::bench
