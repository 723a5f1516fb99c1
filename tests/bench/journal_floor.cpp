// How near the journal comes to what PostgreSQL itself can do: steps per second through PostgresStore::append() with 1,
// 10, 100 and 1,000 groups outstanding, against plain libpq that writes the same rows in batches of that size, in turn,
// on the same private cluster.
//   journal_floor [seconds per measurement] [rounds]
#include <arpa/inet.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "store/postgres_store.hpp"
#include "support/postgres.hpp"

namespace {

using namespace godwit;
using Seconds = std::chrono::duration<double>;

const std::string kOutput =
    R"({"ok":true,"model":"simulated-1","usage":{"in":1234,"out":567},"text":"Lorem ipsum dolor sit amet, consectetur adipiscing elit, )"
    R"(sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. Ut enim"})";
constexpr int kRuns = 100;

std::string path_of(std::int64_t number) {
  return "search[" + std::to_string(number) + "]";
}

// The floor: nothing but libpq, arrays built by hand, one prepared INSERT with autocommit.
class Floor {
 public:
  explicit Floor(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    check(PQstatus(connection_) == CONNECTION_OK);
    clear(PQexec(connection_, "SET plan_cache_mode = force_generic_plan"));
    clear(PQprepare(
        connection_, "steps",
        "INSERT INTO godwit.step (run, path, state, attempt, args_hash, output, failure, started_at, finished_at) "
        "SELECT * FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::integer[], $5::bigint[], $6::text[], "
        "$7::text[], "
        "$8::timestamptz[], $9::timestamptz[])",
        0, nullptr));
  }
  ~Floor() { PQfinish(connection_); }

  double rate(int batch, double seconds) {
    const auto begin = base::tick();
    std::int64_t rows = 0;
    while (Seconds(base::tick() - begin).count() < seconds) {
      write(batch);
      rows += batch;
    }
    return static_cast<double>(rows) / Seconds(base::tick() - begin).count();
  }

 private:
  void check(bool good) {
    if (good) return;
    std::fprintf(stderr, "floor: %s\n", PQerrorMessage(connection_));
    std::exit(1);
  }
  void clear(PGresult* result) {
    check(PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
  }
  static void put(std::string& out, std::uint64_t value, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  }
  template <typename Value>
  void column(int index, int oid, int count, Value value) {
    auto& out = columns_[index];
    out.clear();
    for (const int header : {1, 0, oid, count, 1}) put(out, static_cast<std::uint32_t>(header), 4);
    for (int i = 0; i < count; ++i) value(out, i);
  }
  static auto fixed(std::uint64_t value, int size) {
    return [=](std::string& out, int) {
      put(out, static_cast<std::uint64_t>(size), 4);
      put(out, value, size);
    };
  }
  static void text(std::string& out, const std::string& value) {
    put(out, value.size(), 4);
    out += value;
  }

  void write(int count) {
    column(0, 20, count, [this](std::string& out, int i) {
      put(out, 8, 4);
      put(out, static_cast<std::uint64_t>(-1 - (next_ + i) % kRuns), 8);
    });
    column(1, 25, count, [this](std::string& out, int i) { text(out, path_of(next_ + i)); });
    column(2, 21, count, fixed(0, 2));
    column(3, 23, count, fixed(1, 4));
    column(4, 20, count, fixed(12345678901234, 8));
    column(5, 25, count, [](std::string& out, int) { text(out, kOutput); });
    column(6, 25, count, [](std::string& out, int) { put(out, 0xffffffff, 4); });
    columns_[6][7] = 1;
    column(7, 1184, count, fixed(800'000'000'000'000, 8));
    column(8, 1184, count, fixed(800'000'000'100'000, 8));
    const char* values[9];
    int lengths[9], formats[9];
    for (int i = 0; i < 9; ++i) {
      values[i] = columns_[i].data();
      lengths[i] = static_cast<int>(columns_[i].size());
      formats[i] = 1;
    }
    clear(PQexecPrepared(connection_, "steps", 9, values, lengths, formats, 1));
    next_ += count;
  }

  PGconn* connection_;
  std::string columns_[9];
  std::int64_t next_ = 0;
};

// The journal with a constant number of groups outstanding, each a step of its own.
class Ours {
 public:
  explicit Ours(const std::string& url) : store_({url, "bench", {}, {}}, loop_) {
    loop_.get<engine::Nothing>([this](auto answer) { store_.start(std::move(answer)); });
  }

  double rate(int outstanding, double seconds) {
    const auto begin = base::tick();
    const std::int64_t before = settled_;
    running_ = true;
    for (int i = 0; i < outstanding; ++i) append();
    loop_.wait([&] { return Seconds(base::tick() - begin).count() >= seconds; });
    running_ = false;
    const double rate = static_cast<double>(settled_ - before) / Seconds(base::tick() - begin).count();
    loop_.wait([&] { return settled_ == next_; });
    return rate;
  }
  double batch_size() {
    const auto status = store_.status();
    const auto& journal = status.at("journal").as_object();
    const auto facts = journal.at("facts").to_number<std::uint64_t>(),
               batches = journal.at("batches").to_number<std::uint64_t>();
    const double size =
        static_cast<double>(facts - facts_) / static_cast<double>(std::max<std::uint64_t>(1, batches - batches_));
    facts_ = facts;
    batches_ = batches;
    return size;
  }

 private:
  void append() {
    engine::StepDone step;
    step.run = model::RunId(1 + next_ % kRuns);
    step.path = path_of(next_++);
    step.args_hash = 12345678901234;
    step.output = kOutput;
    step.started_at = base::from_microseconds(1'746'684'800'000'000);
    step.finished_at = base::from_microseconds(1'746'684'800'100'000);
    std::vector<engine::Fact> facts;
    facts.push_back(std::move(step));
    store_.append(std::move(facts), [this](engine::Verdict verdict) {
      if (verdict.kind != engine::Verdict::committed) {
        std::fprintf(stderr, "journal: %s\n", verdict.message.c_str());
        std::exit(1);
      }
      ++settled_;
      if (running_) append();
    });
  }

  support::Loop loop_;
  store::PostgresStore store_;
  std::int64_t next_ = 0, settled_ = 0;
  std::uint64_t facts_ = 0, batches_ = 0;
  bool running_ = false;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 3;
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 5;
  support::Postgres postgres(true);
  const auto url = postgres.make_database();
  Ours ours(url);
  Floor floor(url);
  ours.rate(100, 0.5);
  floor.rate(100, 0.5);
  std::printf("%12s %14s %14s %8s %18s\n", "outstanding", "journal/s", "libpq/s", "ratio", "facts per commit");
  for (const int outstanding : {1, 10, 100, 1000}) {
    std::vector<double> rates, floors, ratios;
    ours.batch_size();
    for (int round = 0; round < rounds; ++round) {
      floors.push_back(floor.rate(outstanding, seconds));
      rates.push_back(ours.rate(outstanding, seconds));
      ratios.push_back(rates.back() / floors.back());
    }
    std::printf("%12d %14.0f %14.0f %8.2f %18.1f\n", outstanding, median(rates), median(floors), median(ratios),
                ours.batch_size());
    std::fflush(stdout);
  }
  return 0;
}
