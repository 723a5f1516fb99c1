#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "integration/store/facts.hpp"
#include "store/migrator.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;

namespace {

std::vector<engine::InboxEntry> inbox(Life& life) {
  return life.loop.get<std::vector<engine::InboxEntry>>(
      [&](auto answer) { life.store.read_inbox(100, std::move(answer)); });
}

engine::Submitted taken(const engine::InboxEntry& entry) {
  auto fact = submitted(entry.run, entry.job, entry.key);
  fact.params = entry.params;
  fact.from_inbox = true;
  return fact;
}

std::string state(const std::string& url, model::RunId run) {
  return sql(url, "SELECT state FROM godwit.runs WHERE run = " + model::text(run))[0][0].as<std::string>();
}

}  // namespace

TEST_CASE("A submit by SQL arrives when its transaction commits, and never when it does not", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  int arrivals = 0;
  life.store.watch_inbox([&] { ++arrivals; });
  CHECK(sql(url,
            "BEGIN; SELECT godwit.submit('flock', '{\"a\":1}', 'k'); ROLLBACK; SELECT count(*) FROM godwit.runs")[0][0]
            .as<int>() == 0);
  const auto before = arrivals;
  const auto run = model::RunId(count(url, "SELECT godwit.submit('flock', '{\"a\":1}', 'k')"));
  REQUIRE(life.loop.wait([&] { return arrivals > before; }));
  const auto entries = inbox(life);
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].run == run);
  CHECK(entries[0].job == "flock");
  CHECK(entries[0].params == R"({"a":1})");
  CHECK(entries[0].key == "k");
  CHECK(entries[0].submitted_by == "godwit");
  CHECK(state(url, run) == "queued");
  REQUIRE(life.append({taken(entries[0])}).kind == Verdict::committed);
  CHECK(inbox(life).empty());
  CHECK(count(url, "SELECT count(*) FROM godwit.runs") == 1);
  CHECK(state(url, run) == "queued");
}

TEST_CASE("A key means the same run by SQL and by the daemon", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto first = count(url, "SELECT godwit.submit('flock', '{}', 'k')");
  CHECK(count(url, "SELECT godwit.submit('flock', '{}', 'k')") == first);
  CHECK(count(url, "SELECT godwit.submit('other', '{}', 'k')") != first);
  const auto run = life.numbers(1).front();
  auto verdict = life.append({submitted(run, "flock", "k")});
  CHECK(verdict.kind == Verdict::duplicate);
  CHECK(verdict.existing == model::RunId(first));
  REQUIRE(life.append({submitted(run, "flock", "m")}).kind == Verdict::committed);
  CHECK(count(url, "SELECT godwit.submit('flock', key => 'm')") == model::number(run));
}

TEST_CASE("Who brings a key that is in somebody's open transaction waits for its end, and nobody waits with him",
          "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto runs = life.numbers(3);
  pqxx::connection application(url);
  pqxx::work transaction(application);
  const auto first = transaction.exec1("SELECT godwit.submit('flock', '{}', 'k')")[0].as<std::int64_t>();
  std::optional<Verdict> keyed;
  life.store.append({submitted(runs[0], "flock", "k")}, [&](Verdict verdict) { keyed = std::move(verdict); });
  // Together with it and after it, by both ways to the tables.
  std::optional<Verdict> beside;
  life.store.append({submitted(runs[1])}, [&](Verdict verdict) { beside = std::move(verdict); });
  REQUIRE(life.loop.wait([&] { return beside.has_value(); }));
  CHECK(beside->kind == Verdict::committed);
  CHECK(life.append({submitted(runs[2], "flock", "another key")}).kind == Verdict::committed);
  for (int i = 0; i < 20; ++i) CHECK(life.append({step(runs[1], "s" + std::to_string(i))}).kind == Verdict::committed);
  CHECK_FALSE(keyed);
  CHECK(life.store.status().at("state") == "up");
  SECTION("which keeps the key") {
    transaction.commit();
    REQUIRE(life.loop.wait([&] { return keyed.has_value(); }));
    CHECK(keyed->kind == Verdict::duplicate);
    CHECK(keyed->existing == model::RunId(first));
  }
  SECTION("which gives it up") {
    transaction.abort();
    REQUIRE(life.loop.wait([&] { return keyed.has_value(); }));
    CHECK(keyed->kind == Verdict::committed);
  }
}

TEST_CASE("Parameters are taken as text, json or jsonb, and must be an object", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  sql(url, "SELECT godwit.submit('flock')");
  sql(url, "SELECT godwit.submit('flock', '{\"a\":1}'::json)");
  sql(url, "SELECT godwit.submit('flock', jsonb_build_object('a', 1), 'k')");
  sql(url, "SELECT godwit.submit(job => 'flock', params => '{}', key => 'l')");
  CHECK(inbox(life).size() == 4);
  CHECK_THROWS_AS(sql(url, "SELECT godwit.submit('flock', '[1]')"), pqxx::sql_error);
  CHECK_THROWS_AS(sql(url, "SELECT godwit.submit('flock', '{')"), pqxx::sql_error);
  CHECK_THROWS_AS(sql(url, "SELECT godwit.submit('')"), pqxx::sql_error);
  CHECK_THROWS_AS(sql(url, "SELECT godwit.submit(NULL)"), pqxx::sql_error);
  CHECK(inbox(life).size() == 4);
}

TEST_CASE("Parameters of a submit by SQL are 4 MiB at most, and a key that is given is not empty", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto submit = [&](int bytes, const std::string& more = "") {
    return "SELECT godwit.submit('flock', format('{\"a\":\"%s\"}', repeat('x', " + std::to_string(bytes - 8) + "))" +
           more + ")";
  };
  const auto error_of = [&](const std::string& statement) -> std::pair<std::string, std::string> {
    try {
      sql(url, statement);
    } catch (const pqxx::sql_error& error) {
      return {error.sqlstate(), error.what()};
    }
    return {};
  };
  const auto [state, what] = error_of(submit((4 << 20) + 1));
  CHECK(state == "22023");
  CHECK_THAT(what, Catch::Contains("have 4194305 bytes, and at most 4194304 (4 MiB) are taken"));
  CHECK(error_of("SELECT godwit.submit('flock', jsonb_build_object('a', repeat('x', 5000000)))").first == "22023");
  for (const char* params : {"'{}'", "'{}'::json", "'{}'::jsonb"}) {
    const auto [key_state, key_what] = error_of("SELECT godwit.submit('flock', " + std::string(params) + ", '')");
    CHECK(key_state == "22023");
    CHECK_THAT(key_what, Catch::Contains("the key for job flock is empty"));
  }
  CHECK(inbox(life).empty());
  sql(url, submit(4 << 20));
  CHECK(count(url, "SELECT godwit.submit('flock', '{}', NULL)") !=
        count(url, "SELECT godwit.submit('flock', '{}', NULL)"));
  CHECK(inbox(life).size() == 3);
}

TEST_CASE("Two nodes that take the same submit by SQL do not both get it", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url), two(url, "two");
  sql(url, "SELECT godwit.submit('flock')");
  const auto entry = inbox(one).at(0);
  CHECK(one.append({taken(entry)}).kind == Verdict::committed);
  const auto verdict = two.append({taken(entry)});
  CHECK(verdict.kind == Verdict::duplicate);
  CHECK(verdict.existing == entry.run);
  CHECK(count(url, "SELECT count(*) FROM godwit.run") == 1);
}

TEST_CASE("The views tell the state of a run as its facts make it", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  const auto change = [&](engine::RunChange kind) {
    life.append({engine::RunChanged{run, kind, "ops", "why", "", moment()}});
  };
  CHECK(state(url, run) == "queued");
  auto fact = step(run, "a");
  fact.emitted = {{"prices", R"({"eur":1})"}};
  life.append({fact});
  CHECK(state(url, run) == "running");
  change(engine::RunChange::paused);
  CHECK(state(url, run) == "paused");
  change(engine::RunChange::blocked);
  CHECK(state(url, run) == "blocked");
  change(engine::RunChange::unblocked);
  CHECK(state(url, run) == "paused");
  change(engine::RunChange::resumed);
  CHECK(state(url, run) == "running");
  change(engine::RunChange::cancel_requested);
  CHECK(sql(url, "SELECT cancel_requested FROM godwit.runs")[0][0].as<bool>());
  for (const auto& info : model::kRunStates) {
    if (!info.terminal) continue;
    const auto ended = life.submit();
    auto end = done(ended);
    end.state = info.state;
    life.append({end});
    CHECK(state(url, ended) == info.name);
  }
  for (std::size_t i = 0; i < model::kStepStates.size(); ++i) {
    auto settled = step(run, "state" + std::to_string(i));
    settled.state = static_cast<model::StepState>(i);
    life.append({settled});
    CHECK(sql(url, "SELECT state FROM godwit.steps WHERE path = 'state" + std::to_string(i) + "'")[0][0]
              .as<std::string>() == model::kStepStates[i]);
  }
  CHECK(sql(url, "SELECT output->>'price' FROM godwit.steps WHERE path = 'a'")[0][0].as<double>() == 12.5);
  CHECK(sql(url, "SELECT result->>'best' FROM godwit.results WHERE state = 'succeeded'")[0][0].as<int>() == 99);
  CHECK(sql(url, "SELECT row->>'eur' FROM godwit.emitted WHERE topic = 'prices'")[0][0].as<int>() == 1);
}

TEST_CASE("A wait for a lock has its name in the view, and what may not be a signal is told the command that there is",
          "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  REQUIRE(life.append({engine::WaitOpened{.run = run,
                                          .path = "a",
                                          .kind = engine::WaitKind::lock,
                                          .at = moment(),
                                          .detail = R"({"lock":"printer","before":"run 1"})"}})
              .kind == Verdict::committed);
  const auto rows = sql(url, "SELECT kind, name FROM godwit.waits WHERE run = " + model::text(run));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0][0].as<std::string>() == "lock");
  CHECK(rows[0][1].as<std::string>() == "printer");
  const auto text =
      sql(url, "SELECT pg_get_functiondef('godwit.signal(bigint, text, text)'::regprocedure)")[0][0].as<std::string>();
  CHECK_THAT(text, Catch::Contains("`godwit approve` decides, for those who may"));
}

TEST_CASE("Every view and each of its columns is documented", "[store]") {
  const auto url = Postgres::shared().make_database();
  const Life life(url);
  CHECK(count(url, "SELECT count(*) FROM pg_class c WHERE relnamespace = 'godwit'::regnamespace AND relkind = 'v'") ==
        10);
  CHECK(count(url,
              "SELECT count(*) FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 WHERE "
              "relkind = 'v' "
              "AND relnamespace = 'godwit'::regnamespace AND (obj_description(c.oid) IS NULL OR col_description(c.oid, "
              "attnum) IS NULL)") == 0);
}

TEST_CASE("The view of one run reads no whole table", "[store]") {
  const auto url = Postgres::shared().make_database();
  const Life life(url);
  sql(url,
      "INSERT INTO godwit.run SELECT g, 1, g, NULL, now(), 'j', 'v', 'u', NULL, '{}', '{}' FROM generate_series(1, "
      "20000) g;"
      "INSERT INTO godwit.run_done SELECT g, now(), 5, '{}' FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.step SELECT g, 7, now(), now(), 1, 0, 's', '1', NULL FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.attempt SELECT g, now(), NULL, 1, 0, 's', NULL FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.progress SELECT g, 1, '{}' FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.rest SELECT g, 1, now(), 1, 0 FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.run_change SELECT g, 1, now(), 1, '', '', '' FROM generate_series(1, 20000) g; ANALYZE");
  for (const auto& row : sql(url, "EXPLAIN SELECT * FROM godwit.runs WHERE run = 77")) {
    INFO(row[0].as<std::string>());
    const auto line = row[0].as<std::string>();
    // Nodes, the inbox and, here, the open runs are few.
    if (line.find("Seq Scan") != std::string::npos)
      CHECK((line.find("on node") != std::string::npos || line.find("on open_run") != std::string::npos || line.find("on inbox") != std::string::npos));
  }
}

TEST_CASE("A migration that was cut off is done again, and two daemons at once do it once", "[store]") {
  const auto url = Postgres::shared().make_empty_database();
  store::Watchdog watchdog;
  const std::array cut{
      store::Migration{1, "one", "CREATE TABLE godwit.one (a int)"},
      store::Migration{2, "two", "CREATE TABLE godwit.two (a int); SELECT pg_terminate_backend(pg_backend_pid())"}};
  const std::array whole{cut[0], store::Migration{2, "two", "CREATE TABLE godwit.two (a int)"}};
  {
    store::Connection connection(url, "test", watchdog, std::chrono::seconds(10));
    CHECK_THROWS(store::migrate(connection, cut));
  }
  CHECK(count(url, "SELECT max(number) FROM godwit.migration") == 1);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      store::Connection connection(url, "test", watchdog, std::chrono::seconds(10));
      store::migrate(connection, whole);
      ++good;
    });
  for (auto& thread : threads) thread.join();
  CHECK(good == 4);
  CHECK(count(url, "SELECT count(*) FROM godwit.migration") == 2);
  store::Connection connection(url, "test", watchdog, std::chrono::seconds(10));
  try {
    store::migrate(connection, std::span(whole).first(1));
    FAIL("an older daemon must refuse a newer schema");
  } catch (const base::Error& error) {
    CHECK(error.kind() == base::ErrorKind::refused);
    CHECK(std::string(error.what()).find("version 2") != std::string::npos);
  }
}
