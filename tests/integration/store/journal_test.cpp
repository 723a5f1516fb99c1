#include <catch2/catch.hpp>

#include "integration/store/facts.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;

TEST_CASE("What was appended is what a next life loads", "[store]") {
  const auto url = Postgres::shared().make_database();
  model::RunId run{}, other{};
  std::string id;
  {
    Life life(url);
    id = life.store.store_id();
    const auto runs = life.numbers(2);
    run = runs[0];
    other = runs[1];
    engine::AttemptFailed failed{
        run, "c", 1, {"timeout", "it took too long \xc3\xa4", true, std::chrono::seconds(90)}, moment(5), moment(95)};
    engine::StepDone skipped = step(run, "b", "");
    skipped.state = model::StepState::skipped;
    skipped.failure = model::Failure{"when", "the condition was false", false, {}};
    REQUIRE(life.append({engine::JobStored{std::string(64, 'a'), "flock", "flock.yaml", "job: flock\n"},
                         submitted(run, "flock", "key 1"), submitted(other)})
                .kind == Verdict::committed);
    REQUIRE(life.append({step(run, "a"), skipped, engine::AttemptStarted{run, "c", 1, moment(4)}, failed,
                         engine::AttemptStarted{run, "d", 3, moment(4)}})
                .kind == Verdict::committed);
    REQUIRE(
        life.append({engine::RunChanged{run, engine::RunChange::paused, "ops", "", "", moment()},
                     engine::RunChanged{run, engine::RunChange::blocked, "engine", "unknown outcome", "d", moment()},
                     engine::RunChanged{run, engine::RunChange::resumed, "ops", "", "", moment()}})
            .kind == Verdict::committed);
    REQUIRE(life.append({done(other)}).kind == Verdict::committed);
  }
  Life life(url);
  CHECK(life.store.store_id() == id);
  CHECK(id.size() == 12);
  const auto loaded = life.unfinished();
  REQUIRE(loaded.size() == 1);
  const auto& it = loaded[0];
  CHECK(it.run.run == run);
  CHECK(it.run.job == "flock");
  CHECK(it.run.key == "key 1");
  CHECK(it.run.params == R"({"origin":"HAM"})");
  CHECK(it.run.pins == R"({"timetable.search":"1.0"})");
  CHECK(it.run.submitted_at == moment());
  CHECK(it.run.submitted_by == "ops");
  CHECK_FALSE(it.run.retry_of);
  REQUIRE(it.steps.size() == 2);
  const auto& a = it.steps[0].path == "a" ? it.steps[0] : it.steps[1];
  CHECK(a.output == R"({"price":12.5})");
  CHECK(a.args_hash == -5'000'000'000);
  CHECK(a.attempt == 2);
  CHECK(a.started_at == moment(1));
  CHECK(a.finished_at == moment(2));
  CHECK_FALSE(a.failure);
  const auto& b = it.steps[0].path == "a" ? it.steps[1] : it.steps[0];
  CHECK(b.state == model::StepState::skipped);
  REQUIRE(b.failure);
  CHECK(b.failure->code == "when");
  REQUIRE(it.attempts.size() == 2);
  CHECK(it.attempts.at("c").made == 1);
  CHECK_FALSE(it.attempts.at("c").in_doubt);
  CHECK(it.attempts.at("c").next_at == moment(95));
  CHECK(it.attempts.at("c").last_failure ==
        model::Failure{"timeout", "it took too long \xc3\xa4", true, std::chrono::seconds(90)});
  CHECK(it.attempts.at("d").made == 3);
  CHECK(it.attempts.at("d").in_doubt);
  CHECK_FALSE(it.paused);
  CHECK(it.blocked == "unknown outcome");
  CHECK(it.blocked_path == "d");
}

TEST_CASE("The newest checkpoint of a batch and of several is what is read", "[store]") {
  Life life(Postgres::shared().make_database());
  const auto run = life.submit();
  const auto read = [&](const std::string& key) {
    return life.loop.get<std::optional<std::string>>(
        [&](auto answer) { life.store.read_checkpoint(run, "s", key, std::move(answer)); });
  };
  CHECK_FALSE(read("index"));
  REQUIRE(life.append({engine::CheckpointPut{run, "s", "index", "1"}, engine::CheckpointPut{run, "s", "index", "2"},
                       engine::CheckpointPut{run, "s", "best", "9"}})
              .kind == Verdict::committed);
  CHECK(read("index") == "2");
  REQUIRE(life.append({engine::CheckpointPut{run, "s", "index", "3"}}).kind == Verdict::committed);
  CHECK(read("index") == "3");
  CHECK(read("best") == "9");
}

TEST_CASE("Limits and job versions are read back as they were last set", "[store]") {
  Life life(Postgres::shared().make_database());
  const engine::JobStored job{std::string(64, 'b'), "flock", "flock.yaml", "job: flock\n# \xc3\xa4\n"};
  REQUIRE(life.append({job, job, engine::LimitSet{"amadeus", 1}, engine::LimitSet{"amadeus", 5}}).kind ==
          Verdict::committed);
  REQUIRE(life.append({job, engine::LimitSet{"amadeus", 7}, engine::LimitSet{"llm", 2}}).kind == Verdict::committed);
  const auto limits =
      life.loop.get<std::vector<engine::LimitSet>>([&](auto answer) { life.store.load_limits(std::move(answer)); });
  REQUIRE(limits.size() == 2);
  CHECK(limits[0].spec.permits == 7);
  CHECK(limits[1].name == "llm");
  const auto loaded =
      life.loop.get<engine::JobStored>([&](auto answer) { life.store.load_job(job.version, std::move(answer)); });
  CHECK(loaded.text == job.text);
  CHECK(loaded.file == job.file);
  CHECK_THROWS_AS(
      life.loop.get<engine::JobStored>([&](auto answer) { life.store.load_job("none", std::move(answer)); }),
      base::Error);
}

TEST_CASE("A key that is taken gives the run that has it and stores nothing of its group", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto runs = life.numbers(3);
  REQUIRE(life.append({submitted(runs[0], "flock", "monday")}).kind == Verdict::committed);
  const auto verdict = life.append({submitted(runs[1], "flock", "monday"), done(runs[1]),
                                    engine::Audited{1, "ops", "submit", "flock", "{}", moment()}});
  CHECK(verdict.kind == Verdict::duplicate);
  CHECK(verdict.existing == runs[0]);
  CHECK(life.append({submitted(runs[2], "other job", "monday")}).kind == Verdict::committed);
  CHECK(count(url, "SELECT count(*) FROM godwit.run") == 2);
  CHECK(count(url, "SELECT (SELECT count(*) FROM godwit.audit) + (SELECT count(*) FROM godwit.run_done)") == 0);
}

TEST_CASE("Of many submits with one key at once one is stored and all others name it", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url), other(url, "two");
  const auto runs = life.numbers(60);
  std::vector<std::pair<model::RunId, Verdict>> verdicts;
  const auto settle = [&](model::RunId run) {
    return [&verdicts, run](Verdict verdict) { verdicts.emplace_back(run, std::move(verdict)); };
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    auto& store = i % 2 == 0 ? life.store : other.store;
    store.append({submitted(runs[i], "flock", "same")}, settle(runs[i]));
    store.append({step(runs[i], "beside")}, settle(runs[i]));
  }
  REQUIRE(life.loop.wait([&] { return verdicts.size() >= runs.size(); }));
  REQUIRE(other.loop.wait([&] { return verdicts.size() == 2 * runs.size(); }));
  const auto winner = model::RunId(count(url, "SELECT run FROM godwit.run_key"));
  CHECK(count(url, "SELECT count(*) FROM godwit.run") == 1);
  CHECK(count(url, "SELECT count(*) FROM godwit.step") == 60);
  int duplicates = 0;
  for (const auto& [run, verdict] : verdicts) {
    if (verdict.kind != Verdict::duplicate) continue;
    ++duplicates;
    CHECK(verdict.existing == winner);
  }
  CHECK(duplicates == 59);
}

TEST_CASE("Facts the database cannot hold are refused without harm to those beside them", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  std::vector<Verdict> verdicts(100);
  std::size_t settled = 0;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    auto fact = step(run, "s" + std::to_string(i));
    if (i == 13) fact.output = "\"\xff\xfe\"";
    if (i == 14) fact.output = std::string("\"a\0b\"", 5);
    if (i == 77) fact.path = std::string(9000, 'x') + std::to_string(i);
    life.store.append({fact, engine::Audited{1, "ops", "note", std::to_string(i), "{}", moment()}},
                      [&, i](Verdict verdict) {
                        verdicts[i] = std::move(verdict);
                        ++settled;
                      });
  }
  REQUIRE(life.loop.wait([&] { return settled == verdicts.size(); }));
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    INFO(i << ": " << verdicts[i].message);
    const bool poison = i == 13 || i == 14 || verdicts[i].kind == Verdict::refused;
    CHECK((verdicts[i].kind == Verdict::refused) == poison);
    if (poison) CHECK((i == 13 || i == 14 || i == 77));
  }
  CHECK(verdicts[13].message.find("UTF8") != std::string::npos);
  const auto stored = count(url, "SELECT count(*) FROM godwit.step");
  CHECK(stored >= 97);
  CHECK(count(url, "SELECT count(*) FROM godwit.audit") == stored);
}

TEST_CASE("Facts that are appended again are stored once", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  auto fact = step(run, "s");
  fact.emitted = {{"prices", R"({"eur":1})"}, {"prices", R"({"eur":2})"}};
  for (int i = 0; i < 3; ++i) CHECK(life.append({fact, done(run)}).kind == Verdict::committed);
  CHECK(count(url, "SELECT count(*) FROM godwit.step") == 1);
  CHECK(count(url, "SELECT count(*) FROM godwit.emitted") == 2);
  CHECK(count(url, "SELECT count(*) FROM godwit.results") == 1);
}

TEST_CASE("A retried run takes over the steps it names and emits nothing for them", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto old = life.submit();
  auto emitting = step(old, "a");
  emitting.emitted = {{"prices", "{}"}};
  REQUIRE(life.append({emitting, step(old, "b"), step(old, "c"), done(old)}).kind == Verdict::committed);
  const auto run = life.numbers(1).front();
  auto again = submitted(run);
  again.retry_of = old;
  again.copied_steps = {"a", "c", "never there"};
  REQUIRE(life.append({again}).kind == Verdict::committed);
  const auto loaded = life.unfinished();
  REQUIRE(loaded.size() == 1);
  CHECK(loaded[0].run.retry_of == old);
  CHECK(loaded[0].steps.size() == 2);
  CHECK(loaded[0].steps[0].output == R"({"price":12.5})");
  CHECK(count(url, "SELECT count(*) FROM godwit.emitted") == 1);
}

TEST_CASE("A second daemon on the same node fences the first", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life first(url);
  const auto run = first.submit();
  CHECK(first.store.status().at("state").as_string() == "up");
  Life second(url);
  const auto verdict = first.append({step(run, "late")});
  CHECK(verdict.kind == Verdict::fenced);
  CHECK_FALSE(verdict.message.empty());
  CHECK(first.append({step(run, "later")}).kind == Verdict::fenced);
  CHECK(first.store.status().at("state").as_string() == "fenced");
  // As the engine does it that was told so: the kernel would end the process, of which others live on here.
  first.store.cluster()->at_rest();
  CHECK(count(url, "SELECT count(*) FROM godwit.step") == 0);
  CHECK(second.append({step(run, "s")}).kind == Verdict::committed);
  // Another node is another place.
  Life other(url, "two");
  CHECK(second.append({step(run, "t")}).kind == Verdict::committed);
  CHECK(other.unfinished().empty());
  CHECK(second.unfinished().size() == 1);
}

TEST_CASE("All facts settled by one commit come in one post", "[store]") {
  Life life(Postgres::shared().make_database());
  const auto run = life.submit();
  const auto posts = life.loop.posts();
  int settled = 0;
  for (int i = 0; i < 3000; ++i)
    life.store.append({step(run, "s" + std::to_string(i))}, [&](const Verdict&) { ++settled; });
  REQUIRE(life.loop.wait([&] { return settled == 3000; }));
  const auto batches = life.store.status().at("journal").at("batches").to_number<std::size_t>();
  // One post that settles a batch; by the express lane, or on the way to it, one that sends. The node's other threads
  // have something to say now and then.
  CHECK(life.loop.posts() - posts <= 2 * batches + 100);
  CHECK(batches < 100);
}

TEST_CASE("What a loop folds away in the batch that brings it is not there", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  engine::StepDone note = step(run, "c[1]/emit.t");
  note.emitted = {{"t", "1"}};
  const engine::CursorMoved moved{.run = run, .path = "c[..]", .value = "{}", .folded = {"c[1]", "c[2]"}};
  REQUIRE(life.append({step(run, "c[1]"), step(run, "c[10]"), note, engine::AttemptStarted{run, "c[2]/a", 1, moment()},
                       engine::WaitOpened{.run = run, .path = "c[2]", .at = moment()}, moved})
              .kind == Verdict::committed);
  const auto number = model::text(run);
  CHECK(count(url, "SELECT count(*) FROM godwit.step WHERE run = " + number) == 1);
  CHECK(count(url, "SELECT count(*) FROM godwit.step WHERE path = 'c[10]' AND run = " + number) == 1);
  CHECK(count(url, "SELECT count(*) FROM godwit.attempt WHERE run = " + number) == 0);
  CHECK(count(url, "SELECT count(*) FROM godwit.wait WHERE run = " + number) == 0);
  CHECK(count(url, "SELECT count(*) FROM godwit.emitted_row WHERE run = " + number) == 1);
}

TEST_CASE("Progress and log lines arrive without anybody waiting for them", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  for (int i = 0; i < 10; ++i) {
    life.store.append_relaxed(engine::ProgressNoted{run, "{\"done\":" + std::to_string(i) + "}"});
    life.store.append_relaxed(
        engine::Logged{run, "s", engine::LogLevel::warning, "stderr", "line " + std::to_string(i), "", moment(i)});
  }
  base::json::array lines;
  REQUIRE(life.loop.wait([&] {
    lines =
        life.loop.get<base::json::array>([&](auto answer) { life.store.read_logs(run, 0, 100, std::move(answer)); });
    return lines.size() == 10;
  }));
  CHECK(lines[3].at("text").as_string() == "line 3");
  CHECK(lines[3].at("level").as_string() == "warning");
  CHECK(lines[3].at("stream").as_string() == "stderr");
  const auto after = lines[7].at("seq").as_int64();
  CHECK(life.loop.get<base::json::array>([&](auto answer) { life.store.read_logs(run, after, 100, std::move(answer)); })
            .size() == 2);
  CHECK(life.loop.get<base::json::object>([&](auto answer) { life.store.show_run(run, std::move(answer)); })
            .at("progress")
            .at("done") == 9);
}

TEST_CASE("A page of log lines ends where its text is long, and the next one goes on behind it", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  // Each takes twice its length in JSON.
  sql(url, "INSERT INTO godwit.log SELECT " + model::text(run) +
               ", i, now(), 1, 's', 'stdout', repeat('\"', 6000), NULL FROM generate_series(1, 1200) i");
  std::int64_t last = 0;
  std::size_t lines = 0;
  for (;;) {
    const auto page = life.loop.get<base::json::array>(
        [&](auto answer) { life.store.read_logs(run, last, 1000, std::move(answer)); });
    if (page.empty()) break;
    CHECK(base::json::serialize(page).size() < 3u << 20);
    CHECK(page.front().at("seq").as_int64() == last + 1);
    lines += page.size();
    last = page.back().at("seq").as_int64();
  }
  CHECK(lines == 1200);
  // One that is longer than a page is a page.
  sql(url, "UPDATE godwit.log SET line = repeat('x', 3000000) WHERE number = 1200");
  CHECK(life.loop.get<base::json::array>([&](auto answer) { life.store.read_logs(run, 1199, 1000, std::move(answer)); })
            .size() == 1);
}

TEST_CASE("What was appended before stop() is written by it", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  for (int i = 0; i < 500; ++i) life.store.append({step(run, "s" + std::to_string(i))}, [](const Verdict&) {});
  life.store.append_relaxed(engine::ProgressNoted{run, "{}"});
  life.store.stop(std::chrono::minutes(1));
  CHECK(count(url, "SELECT count(*) FROM godwit.step") == 500);
  CHECK(count(url, "SELECT count(*) FROM godwit.progress") == 1);
  std::optional<bool> good;
  life.store.load_limits([&](auto result) { good = bool(result); });
  REQUIRE(life.loop.wait([&] { return good.has_value(); }));
  CHECK_FALSE(*good);
}

TEST_CASE("A lone batch goes by the express lane, a large one by the journal's thread", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  const auto totals = [&] { return life.store.status().at("journal").as_object(); };
  // It needs a session, and a moment in which the journal's thread has gone to sleep.
  REQUIRE(life.loop.wait([&, i = 0]() mutable {
    life.append({step(run, "s" + std::to_string(i++))});
    return totals().at("express") != 0u;
  }));
  const auto by_lane = totals().at("express").to_number<std::uint64_t>();
  int settled = 0;
  for (int i = 0; i < 500; ++i)
    life.store.append({step(run, "many" + std::to_string(i))}, [&](const Verdict&) { ++settled; });
  REQUIRE(life.loop.wait([&] { return settled == 500; }));
  CHECK(totals().at("express").to_number<std::uint64_t>() < by_lane + 20);
  // What the server refuses on the lane is told apart from its neighbours and does not close the lane.
  CHECK(life.append({step(run, "s0")}).kind != Verdict::duplicate);
  CHECK(life.append({step(run, "last")}).kind == Verdict::committed);
}

TEST_CASE("A statement that ends its own session fails after some tries, and the next one has its turn", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  const auto execute = [&](const std::string& path, const std::string& statement) {
    std::optional<engine::Result<engine::SqlDone>> ended;
    life.store.execute({.done = step(run, path), .statement = statement},
                       [&](auto given) { ended = std::move(given); });
    REQUIRE(life.loop.wait([&] { return ended.has_value(); }));
    return std::move(*ended);
  };
  const auto ended = execute("a", "SELECT pg_terminate_backend(pg_backend_pid())");
  REQUIRE_FALSE(ended);
  CHECK_THAT(ended.error().what(), Catch::Contains("ended the session while the statement ran, 3 times"));
  CHECK(execute("b", "SELECT 1"));
}

TEST_CASE("A statement whose step was recorded while it ran is undone, and the record is its end", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  sql(url, "CREATE TABLE public.made (n int)");
  const auto run = life.submit();
  store::Watchdog watchdog;
  store::Connection holder(url, "test", watchdog, std::chrono::seconds(10));
  holder.exec("SELECT pg_advisory_lock(7)");
  std::optional<engine::Result<engine::SqlDone>> ended;
  engine::SqlStep statement{.done = step(run, "put"),
                            .statement = "INSERT INTO public.made SELECT 1 FROM pg_advisory_xact_lock(7)"};
  life.store.execute(std::move(statement), [&](engine::Result<engine::SqlDone> given) { ended.emplace(std::move(given)); });
  REQUIRE(life.loop.wait([&] { return count(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1; }));
  REQUIRE(life.append({step(run, "put", R"({"count":5})")}).kind == Verdict::committed);
  holder.exec("SELECT pg_advisory_unlock(7)");
  REQUIRE(life.loop.wait([&] { return ended.has_value(); }));
  REQUIRE(*ended);
  CHECK((*ended)->output == R"({"count":5})");
  CHECK(count(url, "SELECT count(*) FROM public.made") == 0);
}
