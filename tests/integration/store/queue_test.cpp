// Goal: pauses of queues are kept, and runs with a queue or a priority are found apart from the others, before and
// after the folding of open runs. Method: a store appends and reads back, over two lives of its node.
#include <catch2/catch.hpp>

#include "integration/store/facts.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;

namespace {

std::vector<engine::RankedRun> ranked(Life& life) {
  return life.loop.get<std::vector<engine::RankedRun>>(
      [&](auto answer) { life.store.load_ranked(model::RunId(0), 10, answer); });
}
std::vector<engine::QueueSet> queues(Life& life) {
  return life.loop.get<std::vector<engine::QueueSet>>([&](auto answer) { life.store.load_queues(answer); });
}

engine::Submitted with_options(model::RunId run, const std::string& options) {
  auto submit = submitted(run);
  submit.options = options;
  return submit;
}

}  // namespace

TEST_CASE("Runs with a queue or a priority are read apart from the plain ones", "[store]") {
  const auto url = Postgres::shared().make_database();
  std::vector<model::RunId> runs;
  {
    Life life(url);
    runs = life.numbers(6);
    REQUIRE(
        life.append({submitted(runs[0]), with_options(runs[1], R"({"labels":{"a":"b"}})"),
                     with_options(runs[2], R"({"queue":"chat"})"), with_options(runs[3], R"({"priority":-5})"),
                     with_options(runs[4], R"({"turn":"schedule:x"})"), with_options(runs[5], R"({"queue":"chat"})")})
            .kind == Verdict::committed);
    REQUIRE(life.append({step(runs[3], "a"), engine::RunRested{runs[4], true, moment(5)}, done(runs[5])}).kind ==
            Verdict::committed);
    for (const auto run : {runs[3], runs[4], runs[2]})
      life.loop.get<std::vector<engine::LockRow>>(
          [&](auto answer) { life.store.take_lock({"ledger", run, "a", 1, false}, answer); });
  }
  for (int lives = 0; lives < 2; ++lives) {
    Life life(url);
    const auto plain = life.unfinished();
    REQUIRE(plain.size() == 2);
    CHECK(plain[0].run.run == runs[0]);
    CHECK(plain[1].run.run == runs[1]);
    const auto others = ranked(life);
    REQUIRE(others.size() == 3);
    CHECK(others[0].run == runs[2]);
    CHECK_FALSE(others[0].begun);
    CHECK(others[0].options == R"({"queue":"chat"})");
    CHECK(others[1].run == runs[3]);
    CHECK(others[1].begun);
    CHECK(others[2].resting);
    // Of those that wait for the lock one rests.
    CHECK_FALSE(others[0].for_lock);
    CHECK_FALSE(others[1].for_lock);
    CHECK(others[2].for_lock);
  }
}

TEST_CASE("A paused queue is paused in the next life, and the newest word counts", "[store]") {
  const auto url = Postgres::shared().make_database();
  {
    Life life(url);
    CHECK(queues(life).empty());
    REQUIRE(life.append({engine::QueueSet{"a", true, "ann", moment(1)}, engine::QueueSet{"b", true, "ann", moment(1)}})
                .kind == Verdict::committed);
    REQUIRE(life.append({engine::QueueSet{"b", false, "bob", moment(2)}}).kind == Verdict::committed);
    REQUIRE(life.append({engine::QueueSet{"a", false, "bob", moment(3)}, engine::QueueSet{"a", true, "cy", moment(4)}})
                .kind == Verdict::committed);
  }
  Life life(url);
  const auto paused = queues(life);
  REQUIRE(paused.size() == 1);
  CHECK(paused[0].name == "a");
  CHECK(paused[0].who == "cy");
  CHECK(paused[0].at == moment(4));
}

TEST_CASE("A queue that one node paused another one lets go on, whoever began first", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life first(url), second(url, "two");
  REQUIRE(second.append({engine::QueueSet{"a", true, "ann", moment(1)}}).kind == Verdict::committed);
  REQUIRE(first.append({engine::QueueSet{"a", false, "bob", moment(2)}}).kind == Verdict::committed);
  CHECK(queues(first).empty());
}
