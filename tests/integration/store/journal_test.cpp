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
