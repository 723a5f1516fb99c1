#include <catch2/catch.hpp>

#include "integration/store/facts.hpp"
#include "store/expiry.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;

TEST_CASE("A thousand unfinished runs are found among many ended ones, of which the newest are not folded yet", "[store]") {
  const auto url = Postgres::shared().make_database();
  {
    Life life(url);
    // What a long life leaves: every run ended but each two-hundredth, all folded but the newest.
    sql(url,
        "INSERT INTO godwit.run SELECT g, 1, g, NULL, now(), 'j', repeat('a', 64), 'u', NULL, '{}', '{}' FROM "
        "generate_series(1, 200000) g;"
        "INSERT INTO godwit.run_done SELECT g, now(), 5, '{}' FROM generate_series(1, 200000) g WHERE g % 200 <> 0;"
        "INSERT INTO godwit.step SELECT g, 7, now(), now(), 1, 0, 'search[' || i || ']', '{\"price\": 12}', NULL "
        "FROM generate_series(200, 200000, 200) g, generate_series(1, 10) i;"
        "INSERT INTO godwit.open_run SELECT 1, g FROM generate_series(200, 190000, 200) g; INSERT INTO godwit.fold "
        "VALUES (1, 190000)");
    sql(url, "VACUUM ANALYZE");
  }
  Life life(url);
  const auto runs = life.unfinished(1000);
  REQUIRE(runs.size() == 1000);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    CHECK(model::number(runs[i].run.run) == static_cast<std::int64_t>(200 * (i + 1)));
    CHECK(runs[i].steps.size() == 10);
  }
}

TEST_CASE("Unfinished runs are given page by page, whenever they were committed", "[store]") {
  const auto url = Postgres::shared().make_database();
  std::vector<model::RunId> open;
  {
    Life life(url);
    const auto runs = life.numbers(25);
    // Committed in another order than numbered.
    for (auto it = runs.rbegin(); it != runs.rend(); ++it) life.append({submitted(*it)});
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (i % 3 == 0)
        life.append({done(runs[i])});
      else
        open.push_back(runs[i]);
    }
  }
  Life life(url);
  CHECK(count(url, "SELECT count(*) FROM godwit.open_run") == static_cast<std::int64_t>(open.size()));
  const auto fresh = life.submit();
  open.push_back(fresh);
  life.append({done(open[0])});
  open.erase(open.begin());
  std::vector<model::RunId> seen;
  for (model::RunId after{};;) {
    const auto page = life.unfinished(4, after);
    if (page.empty()) break;
    CHECK(page.size() <= 4);
    for (const auto& run : page) seen.push_back(run.run.run);
    after = seen.back();
  }
  CHECK(seen == open);
}

TEST_CASE("Folding while runs come and go forgets none that is unfinished", "[store]") {
  const auto url = Postgres::shared().make_database();
  std::vector<model::RunId> open;
  {
    Life life(url);
    const auto runs = life.numbers(12'000);
    std::size_t settled = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      life.store.append({submitted(runs[i])}, [&](const Verdict&) { ++settled; });
      if (i % 100 == 7)
        open.push_back(runs[i]);
      else
        life.store.append({done(runs[i])}, [&](const Verdict&) { ++settled; });
    }
    REQUIRE(life.loop.wait([&] { return settled == 2 * runs.size() - open.size(); }));
    // The fold comes after the batch that made it due, on another connection.
    REQUIRE(life.loop.wait([&] { return count(url, "SELECT count(*) FROM godwit.fold WHERE number > 0") == 1; }));
    const auto loaded = life.unfinished();
    REQUIRE(loaded.size() == open.size());
    for (std::size_t i = 0; i < open.size(); ++i) CHECK(loaded[i].run.run == open[i]);
  }
  Life life(url);
  CHECK(life.unfinished().size() == open.size());
  CHECK(count(url, "SELECT count(*) FROM godwit.open_run") == static_cast<std::int64_t>(open.size()));
}

TEST_CASE("Long outputs stay in the store until they are asked for", "[store]") {
  Life life(Postgres::shared().make_database());
  const auto run = life.submit();
  const std::string big = "\"" + std::string(70'000, 'x') + "\"";
  life.append({step(run, "big", big), step(run, "small", "1")});
  const auto loaded =
      life.loop.get<engine::UnfinishedRun>([&](auto answer) { life.store.load_run(run, std::move(answer)); });
  REQUIRE(loaded.output_omitted == std::vector<std::string>{"big"});
  const auto outputs = life.loop.get<std::map<std::string, std::string>>([&](auto answer) {
    life.store.read_outputs(run, {"big", "small", "none"}, std::move(answer));
  });
  CHECK(outputs.size() == 2);
  CHECK(outputs.at("big") == big);
  CHECK_THROWS_AS(life.loop.get<engine::UnfinishedRun>(
                      [&](auto answer) { life.store.load_run(model::RunId(999'999), std::move(answer)); }),
                  base::Error);
}

TEST_CASE("A page of runs with many outputs brings so many bytes, and the others are asked for", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  std::vector<engine::Fact> facts;
  const auto numbers = life.numbers(400);
  for (const auto run : numbers) facts.emplace_back(submitted(run));
  REQUIRE(life.append(std::move(facts)).kind == Verdict::committed);
  sql(url,
      "INSERT INTO godwit.step (run, path, state, attempt, args_hash, output, started_at, finished_at) SELECT id, 's', 5, 1, 0, "
      "'\"' || repeat('x', 60000) || '\"', now(), now() FROM godwit.run");
  sql(url,
      "INSERT INTO godwit.step (run, path, state, attempt, args_hash, failure, started_at, finished_at) SELECT id, 'none', 6, 1, "
      "0, '{\"code\":\"a\",\"message\":\"b\",\"retryable\":false}', now(), now() FROM godwit.run");
  std::size_t bytes = 0, omitted = 0;
  for (const auto& run : life.unfinished(1000)) {
    REQUIRE(run.steps.size() == 2);
    for (const auto& done : run.steps) bytes += done.output.size();
    omitted += run.output_omitted.size();
    for (const auto& path : run.output_omitted) REQUIRE(path == "s");
  }
  CHECK(bytes <= 16 << 20);
  CHECK(bytes == (numbers.size() - omitted) * 60'002);
  CHECK(omitted > 0);
}

TEST_CASE("A page of runs with very many steps has fewer runs, and the next one goes on after it", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  std::vector<engine::Fact> facts;
  for (const auto run : life.numbers(200)) facts.emplace_back(submitted(run));
  REQUIRE(life.append(std::move(facts)).kind == Verdict::committed);
  sql(url,
      "INSERT INTO godwit.step (run, path, state, attempt, args_hash, output, started_at, finished_at) SELECT id, 's[' || i || ']', "
      "5, 1, 0, '1', now(), now() FROM godwit.run, generate_series(1, 1000) i");
  const auto page = life.unfinished(200);
  REQUIRE(page.size() < 200);
  const auto rest = life.unfinished(200, page.back().run.run);
  REQUIRE(page.size() + rest.size() == 200);
  for (const auto& run : page) CHECK(run.steps.size() == 1000);
  CHECK(life.unfinished(200, rest.back().run.run).empty());
}

TEST_CASE("Numbers of runs grow and are never given twice", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url), two(url, "two");
  std::vector<model::RunId> seen;
  model::RunId last{};
  for (int round = 0; round < 20; ++round) {
    for (const auto run : one.numbers(static_cast<std::size_t>(round * 37 + 1))) {
      CHECK(run > last);
      last = run;
      seen.push_back(run);
    }
    for (const auto run : two.numbers(50)) seen.push_back(run);
  }
  const auto total = seen.size();
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  CHECK(seen.size() == total);
}

TEST_CASE("Lists, steps, changes, results and audit are shown as JSON", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto list = [&](std::optional<model::RunState> state, const std::string& job = {}, std::size_t limit = 50,
                        std::optional<model::RunId> before = {}) {
    std::vector<std::int64_t> runs;
    for (const auto& it : life.loop.get<base::json::array>([&](auto answer) {
           life.store.list_runs({state, job, {}, limit, before}, std::move(answer));
         }))
      runs.push_back(it.at("run").as_int64());
    return runs;
  };
  CHECK(list({}).empty());
  const auto a = life.submit("a"), b = life.submit("b"), c = life.submit("b"), d = life.submit("a");
  const auto n = [](model::RunId run) { return model::number(run); };
  auto failed = done(b);
  failed.state = model::RunState::failed;
  failed.result.clear();
  failed.failure = model::Failure{"limit", "too many", false, {}};
  failed.failed_path = "search[3]";
  life.append({done(a), failed, engine::RunChanged{c, engine::RunChange::paused, "ops", "lunch", "", moment()},
               engine::Audited{1000, "ops", "pause", model::text(c), R"({"why":"lunch"})", moment()}});
  for (int i = 0; i < 5; ++i) life.append({step(a, "s" + std::to_string(i))});
  const auto waiting = count(url, "SELECT godwit.submit('a')");
  CHECK(list({}) == std::vector{waiting, n(d), n(c), n(b), n(a)});
  CHECK(list({}, "a") == std::vector{waiting, n(d), n(a)});
  CHECK(list({}, "", 2) == std::vector{waiting, n(d)});
  CHECK(list({}, "", 2, d) == std::vector{n(c), n(b)});
  CHECK(list(model::RunState::succeeded) == std::vector{n(a)});
  CHECK(list(model::RunState::failed) == std::vector{n(b)});
  CHECK(list(model::RunState::failed, "a").empty());
  CHECK(list(model::RunState::paused) == std::vector{n(c)});
  CHECK(list(model::RunState::blocked).empty());
  CHECK(list(model::RunState::queued) == std::vector{waiting, n(d), n(c)});

  const auto shown = life.loop.get<base::json::object>([&](auto answer) { life.store.show_run(c, std::move(answer)); });
  CHECK(shown.at("state") == "paused");
  CHECK(shown.at("submitted_at") == base::json::value(base::format_instant(moment())));
  CHECK(shown.at("params").at("origin") == "HAM");
  CHECK(shown.at("changes").as_array().size() == 1);
  CHECK(shown.at("changes").at(0).at("detail") == "lunch");
  CHECK(shown.at("emitted") == 0);
  CHECK(shown.at("node") == "one");

  auto steps =
      life.loop.get<base::json::object>([&](auto answer) { life.store.list_steps(a, 3, 2, true, std::move(answer)); });
  CHECK(steps.at("steps").as_array().size() == 2);
  CHECK(steps.at("more") == false);
  CHECK(steps.at("steps").at(0).at("output").at("price") == 12.5);
  steps =
      life.loop.get<base::json::object>([&](auto answer) { life.store.list_steps(a, 0, 2, false, std::move(answer)); });
  CHECK(steps.at("more") == true);
  CHECK_FALSE(steps.at("steps").at(0).as_object().contains("output"));

  const auto result = [&](model::RunId run) {
    return life.loop.get<base::json::object>([&](auto answer) { life.store.read_result(run, std::move(answer)); });
  };
  CHECK(result(a).at("result").at("best") == 99);
  CHECK(result(b).at("error").at("code") == "limit");
  CHECK(result(c).at("state") == "paused");
  CHECK(result(c).at("result").is_null());
  CHECK_THROWS_AS(result(model::RunId(1'000'000)), base::Error);
  const auto audit =
      life.loop.get<base::json::array>([&](auto answer) { life.store.list_audit(10, std::move(answer)); });
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].at("detail").at("why") == "lunch");
}

TEST_CASE("What no answer carries is told of by its size", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto document = [](std::size_t bytes) { return R"({"a":")" + std::string(bytes - 8, 'x') + R"("})"; };
  const auto runs = life.numbers(2);
  std::vector<engine::Fact> facts;
  for (std::size_t i = 0; i < 2; ++i) {
    auto start = submitted(runs[i]);
    start.params = document((4u << 20) + i);
    auto end = done(runs[i]);
    end.result = document((6u << 20) + i);
    facts.insert(facts.end(), {start, end});
  }
  REQUIRE(life.append(std::move(facts)).kind == Verdict::committed);

  const auto listed =
      life.loop.get<base::json::array>([&](auto answer) { life.store.list_runs({}, std::move(answer)); });
  REQUIRE(listed.size() == 2);
  CHECK_FALSE(listed[0].as_object().contains("params"));
  const auto show = [&](model::RunId run) {
    return life.loop.get<base::json::object>([&](auto answer) { life.store.show_run(run, std::move(answer)); });
  };
  CHECK(show(runs[0]).at("params").is_object());
  CHECK_FALSE(show(runs[0]).contains("params_bytes"));
  CHECK_FALSE(show(runs[1]).contains("params"));
  CHECK(show(runs[1]).at("params_bytes") == (4 << 20) + 1);
  const auto result = [&](model::RunId run) {
    return life.loop.get<base::json::object>([&](auto answer) { life.store.read_result(run, std::move(answer)); });
  };
  CHECK(result(runs[0]).at("result").is_object());
  CHECK_FALSE(result(runs[0]).contains("result_bytes"));
  CHECK(result(runs[1]).at("state") == "succeeded");
  CHECK_FALSE(result(runs[1]).contains("result"));
  CHECK(result(runs[1]).at("result_bytes") == (6 << 20) + 1);
}

TEST_CASE("What nodes that are gone left behind and nobody needs is deleted", "[store]") {
  const auto url = Postgres::shared().make_database();
  std::vector<model::RunId> runs;
  {
    Life gone(url, "gone");
    runs = {gone.submit(), gone.submit()};
    gone.leave(url);
  }
  const auto first = model::text(runs[0]);
  // As if its end had been committed between the last fold and the end of the node.
  sql(url, "INSERT INTO godwit.run_done (run, finished_at, state) VALUES (" + first + ", now(), 5)");
  sql(url, "INSERT INTO godwit.mail (run, sent_at) VALUES (" + first + ", now() - interval '2 days'), (" + first + ", now())");
  store::Watchdog watchdog;
  store::Connection connection(url, "test", watchdog, std::chrono::seconds(10));
  store::delete_leftovers(connection);
  CHECK(count(url, "SELECT run FROM godwit.open_run") == model::number(runs[1]));
  CHECK(count(url, "SELECT count(*) FROM godwit.mail") == 1);
}
