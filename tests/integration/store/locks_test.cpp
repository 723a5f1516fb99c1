// Goal: a lock is had by as many as it allows, whichever node asks, and goes with the run. Method: two lives of the
// store on one database.
#include <catch2/catch.hpp>

#include "integration/store/facts.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::LockRow;
using engine::Verdict;

namespace {

std::vector<LockRow> take(Life& life, model::RunId run, const std::string& path, int permits = 1) {
  return life.loop.get<std::vector<LockRow>>([&](auto answer) {
    life.store.take_lock({"one", run, path, permits, false}, std::move(answer));
  });
}
bool has(const std::vector<LockRow>& rows, model::RunId run, const std::string& path) {
  for (const auto& row : rows)
    if (row.run == run && row.path == path) return row.granted;
  return false;
}
std::vector<model::RunId> grantable(Life& life, std::vector<std::string> names) {
  return life.loop.get<std::vector<model::RunId>>(
      [&](auto answer) { life.store.grantable_locks(std::move(names), std::move(answer)); });
}

}  // namespace

TEST_CASE("A lock has so many holders as it allows, in the order of arrival, on all nodes", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url), two(url, "two");
  const auto first = one.submit(), second = two.submit(), third = one.submit();
  CHECK(has(take(one, first, "a"), first, "a"));
  const auto waiting = take(two, second, "");
  CHECK_FALSE(has(waiting, second, ""));
  CHECK(has(waiting, first, "a"));
  CHECK_FALSE(has(take(one, third, "x[1]/y"), third, "x[1]/y"));
  // Asked again, nothing changes.
  CHECK(has(take(one, first, "a"), first, "a"));
  CHECK_FALSE(has(take(two, second, ""), second, ""));
  CHECK(grantable(one, {"one"}).empty());
  CHECK(count(url, "SELECT count(*) FROM godwit.locks WHERE lock = 'one' AND granted") == 1);
  REQUIRE(one.append({engine::LockReleased{first, "a", "one"}}).kind == Verdict::committed);
  CHECK(grantable(one, {}) == std::vector{second});
  CHECK(grantable(one, {"other"}).empty());
  // Who came later is not let in before.
  CHECK_FALSE(has(take(one, third, "x[1]/y"), third, "x[1]/y"));
  CHECK(has(take(two, second, ""), second, ""));
  auto end = done(second);
  end.had_locks = true;
  REQUIRE(two.append({end}).kind == Verdict::committed);
  CHECK(grantable(two, {"one"}) == std::vector{third});
  CHECK(has(take(one, third, "x[1]/y"), third, "x[1]/y"));
  // An end that did not say that it had locks is found by who asks next.
  REQUIRE(one.append({done(third)}).kind == Verdict::committed);
  const auto fourth = two.submit();
  CHECK(has(take(two, fourth, ""), fourth, ""));
  const auto rows =
      one.loop.get<std::vector<LockRow>>([&](auto answer) { one.store.read_locks("one", std::move(answer)); });
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].run == fourth);
}

TEST_CASE("A lock that was granted last of all wakes its run in the next life", "[store]") {
  const auto url = Postgres::shared().make_database();
  model::RunId waits{}, sleeps{}, turns{};
  {
    Life life(url);
    waits = life.submit(), sleeps = life.submit(), turns = life.submit();
    for (const auto run : {waits, sleeps})
      REQUIRE(life.append({engine::WaitOpened{.run = run, .path = run == waits ? "a" : "nap", .kind = engine::WaitKind::lock}})
                  .kind == Verdict::committed);
    for (const auto run : {waits, sleeps, turns})
      REQUIRE(life.append({engine::RunRested{run, true, {}}}).kind == Verdict::committed);
    take(life, waits, "a", 9), take(life, sleeps, "b", 9), take(life, turns, "", 9);
  }
  Life life(url);
  std::map<model::RunId, bool> wakes;
  for (const auto& run : life.loop.get<std::vector<engine::Resting>>([&](auto answer) { life.store.load_resting(answer); }))
    wakes[run.run] = run.wake_at.has_value();
  CHECK(wakes == std::map<model::RunId, bool>{{waits, true}, {sleeps, false}, {turns, true}});
}

TEST_CASE("A node whose place was taken grants no lock, also to who waits already", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life old(url);
  const auto first = old.submit(), second = old.submit();
  take(old, first, "a");
  CHECK_FALSE(has(take(old, second, "a"), second, "a"));
  REQUIRE(old.append({engine::LockReleased{first, "a", "one"}}).kind == Verdict::committed);
  Life heir(url);
  CHECK_THROWS_WITH(take(old, second, "a"), Catch::Contains("took the place"));
  // The kernel would end the process, of which the heir lives on here.
  old.store.cluster()->at_rest();
  CHECK(grantable(heir, {"one"}) == std::vector{second});
}

TEST_CASE("A run that continues another one takes over what makes it unique", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  auto old = submitted(life.numbers(1).front());
  old.unique = "k";
  REQUIRE(life.append({old}).kind == Verdict::committed);
  auto next = submitted(life.numbers(1).front());
  next.unique = "k";
  CHECK(life.append({next}).kind == Verdict::duplicate);
  next.unique_from = old.run;
  REQUIRE(life.append({next, done(old.run)}).kind == Verdict::committed);
  CHECK(count(url, "SELECT run FROM godwit.run_unique WHERE key = 'k'") == model::number(next.run));
  auto third = submitted(life.numbers(1).front());
  third.unique = "k";
  const auto verdict = life.append({third});
  CHECK(verdict.kind == Verdict::duplicate);
  CHECK(verdict.existing == next.run);
}
