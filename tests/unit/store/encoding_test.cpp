#include <catch2/catch.hpp>

#include "store/array_column.hpp"
#include "store/batch.hpp"
#include "store/postgres_binaries.hpp"
#include "store/postmaster.hpp"
#include "store/tables.hpp"
#include "store/values.hpp"

using namespace godwit;
using namespace godwit::store;

namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const unsigned char c : bytes) {
    constexpr auto kDigits = "0123456789abcdef";
    text += kDigits[c >> 4];
    text += kDigits[c & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("Array parameters have PostgreSQL's binary form", "[store]") {
  ArrayColumn numbers(ColumnType::bigint);
  numbers.add(std::int64_t(1));
  numbers.add(std::int64_t(-2));
  CHECK(hex(numbers.bytes()) ==
        "0000000100000000000000140000000200000001"
        "000000080000000000000001"
        "00000008fffffffffffffffe");
  ArrayColumn small(ColumnType::smallint);
  small.add(std::int64_t(-1));
  CHECK(hex(small.bytes()).substr(40) == "00000002ffff");
  ArrayColumn texts(ColumnType::text);
  texts.add(std::string_view("ab"));
  texts.add_or_null("");
  CHECK(hex(texts.bytes()) ==
        "0000000100000001000000190000000200000001"
        "000000026162"
        "ffffffff");
  texts.clear();
  CHECK(hex(texts.bytes()) == "0000000100000000000000190000000000000001");
  ArrayColumn instants(ColumnType::timestamptz);
  instants.add(*base::parse_instant("2000-01-01T00:00:01Z"));
  CHECK(hex(instants.bytes()).substr(40) == "0000000800000000000f4240");
}

TEST_CASE("Timestamps are read as a session in UTC writes them", "[store]") {
  CHECK(parse_timestamp("2026-11-22 17:07:38.123456+00") == *base::parse_instant("2026-11-22T17:07:38.123456Z"));
  CHECK(parse_timestamp("2026-11-22 17:07:38+00") == *base::parse_instant("2026-11-22T17:07:38Z"));
  CHECK(parse_timestamp("1969-12-31 23:59:59.5+00") == base::from_microseconds(-500'000));
  for (const char* bad : {"", "2026", "2026-11-22", "2026-11-22 17:07:38", "2026-11-22 17:07:38+01", "infinity",
                          "2026-11-22 17:07:38.+00"})
    CHECK_THROWS(parse_timestamp(bad));
}

TEST_CASE("A statement writes what its form names and nothing else, and always asks for the node's row", "[store]") {
  const auto sql = journal_statement({bit(Rows::step) | bit(Rows::run_done), false, false});
  CHECK(sql.find("FOR SHARE") != std::string::npos);
  CHECK(sql.find("INSERT INTO godwit.step") != std::string::npos);
  CHECK(sql.find("INSERT INTO godwit.run_done") != std::string::npos);
  CHECK(sql.find("godwit.emitted_row") == std::string::npos);
  CHECK(sql.find("$18::timestamptz[]") != std::string::npos);
  CHECK(sql.find("$19") == std::string::npos);
  CHECK(sql.find("ON CONFLICT") == std::string::npos);
  CHECK(journal_statement({bit(Rows::step), true, false}).find("ON CONFLICT DO NOTHING") != std::string::npos);
  CHECK(journal_statement({bit(Rows::log), false, true}).find("synchronous_commit") != std::string::npos);
  CHECK(StatementForm{1, false, false}.name() != StatementForm{1, true, false}.name());
  CHECK(StatementForm{1, false, true}.name() != StatementForm{1, true, false}.name());
  for (std::size_t i = 0; i < kRowsCount; ++i) {
    CHECK(info(Rows(i)).rows == Rows(i));
    CHECK(info(Rows(i)).statement.find("{}") != std::string_view::npos);
    CHECK(info(Rows(i)).statement.find("fence") != std::string_view::npos);
  }
}

TEST_CASE("A batch holds one row for each value that is replaced", "[store]") {
  FactNumbers numbers;
  numbers.start(3);
  Batch batch(numbers);
  const std::vector<engine::Fact> facts{
      engine::CheckpointPut{model::RunId(1), "s", "k", "old"}, engine::CheckpointPut{model::RunId(1), "s", "k", "new"},
      engine::CheckpointPut{model::RunId(2), "s", "k", "new"}, engine::ProgressNoted{model::RunId(1), "1"},
      engine::ProgressNoted{model::RunId(1), "2"}};
  for (const auto& fact : facts) batch.add(fact);
  batch.finish();
  CHECK(batch.mask() == (bit(Rows::checkpoint) | bit(Rows::progress)));
  const auto columns = batch.columns();
  REQUIRE(columns.size() == 8);
  CHECK(hex(columns[0]->bytes()).substr(24, 8) == "00000002");
  CHECK(columns[4]->bytes().find("old") == std::string_view::npos);
  batch.clear();
  CHECK(batch.mask() == 0);
  CHECK(batch.columns().empty());
}

TEST_CASE("A failure survives its way through the store", "[store]") {
  const model::Failure failure{"limit", "too \"many\"\nrequests \xe2\x82\xac", true, std::chrono::milliseconds(1500)};
  CHECK(parse_failure(failure_text(failure)) == failure);
  const model::Failure plain{"crashed", "", false, {}};
  CHECK(parse_failure(failure_text(plain)) == plain);
  CHECK(parse_failure("") == model::Failure{});
}

TEST_CASE("postmaster.pid is read whole or not at all", "[store]") {
  const std::string whole = "123\n/var/lib/x\n1763800000\n5432\n/run/sock\n\n  5432001    98304\nready   \n";
  const auto file = parse_postmaster_file(whole);
  REQUIRE(file);
  CHECK(file->pid == 123);
  CHECK(file->data == "/var/lib/x");
  CHECK(file->socket_dir == "/run/sock");
  for (std::size_t length = 0; length < whole.find("\n\n"); ++length)
    CHECK_FALSE(parse_postmaster_file(whole.substr(0, length)));
  CHECK_FALSE(parse_postmaster_file("-5\na\nb\nc\nd\ne\n"));
  CHECK_FALSE(parse_postmaster_file("12x\na\nb\nc\nd\ne\n"));
}

TEST_CASE("The version of PostgreSQL is read from what the program says", "[store]") {
  CHECK(parse_postgres_version("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n") == 15);
  CHECK(parse_postgres_version("postgres (PostgreSQL) 17beta1\n") == 17);
  CHECK(parse_postgres_version("something else") == 0);
  CHECK(parse_postgres_version("") == 0);
}

TEST_CASE("Numbers of facts never go back to a block that arrives late", "[store]") {
  FactNumbers numbers;
  numbers.start(8);
  const auto before = numbers.next();
  numbers.start(7);
  CHECK(numbers.next() > before);
  numbers.start(9);
  CHECK(numbers.next() >> 30 == 9);
}
