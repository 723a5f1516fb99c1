// Goal: a fire time leads to one run, whichever node writes it first, also when commits are doubted. Method: two nodes
// on one database append the run of the same fire time.
#include <catch2/catch.hpp>

#include "integration/store/facts.hpp"
#include "store/expiry.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;

namespace {

engine::ScheduleSet nightly() {
  return {"nightly", engine::ScheduleSet::MadeBy::operator_, R"({"job":"flock","cron":"@daily"})", false, false,
          moment()};
}

}  // namespace

TEST_CASE("The first run of a fire time wins, over nodes and within a batch", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url, "one"), two(url, "two");
  const auto a = one.numbers(2), b = two.numbers(1);
  const auto fire = [](model::RunId run) {
    return std::vector<engine::Fact>{submitted(run), engine::Fired{"nightly", moment(60), run}};
  };
  REQUIRE(one.append({nightly()}).kind == Verdict::committed);
  REQUIRE(one.append(fire(a[0])).kind == Verdict::committed);
  for (const auto& [life, run] : {std::pair(&one, a[1]), {&two, b[0]}}) {
    const auto verdict = life->append(fire(run));
    CHECK(verdict.kind == Verdict::duplicate);
    REQUIRE(verdict.existing);
    CHECK(*verdict.existing == a[0]);
  }
  CHECK(one.append({engine::FireSkipped{"nightly", moment(30), "paused", moment(31)}}).kind == Verdict::committed);
  CHECK(two.append({engine::FireSkipped{"nightly", moment(30), "missed", moment(32)}}).kind == Verdict::committed);

  const auto stored =
      one.loop.get<std::vector<engine::StoredSchedule>>([&](auto answer) { one.store.load_schedules(answer); });
  REQUIRE(stored.size() == 1);
  CHECK(stored[0].set.name == "nightly");
  CHECK(stored[0].set.made_by == engine::ScheduleSet::MadeBy::operator_);
  CHECK(stored[0].set.since == moment());
  CHECK(stored[0].last_fire == moment(60));
  const auto open = [&] {
    return two.loop.get<engine::OpenFires>([&](auto answer) { two.store.open_fires("nightly", base::Instant{}, answer); }).runs;
  };
  CHECK(open() == std::vector{a[0]});
  REQUIRE(one.append({done(a[0])}).kind == Verdict::committed);
  CHECK(open().empty());
  const auto fires = one.loop.get<base::json::array>([&](auto answer) { one.store.list_fires("nightly", 10, answer); });
  REQUIRE(fires.size() == 2);
  CHECK(fires[0].at("run") == model::number(a[0]));
  CHECK(fires[1].at("why") == "paused");
}

TEST_CASE("A run that was deleted, its time being over, is not open for its schedule", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.numbers(1).front();
  REQUIRE(life.append({nightly()}).kind == Verdict::committed);
  REQUIRE(life.append({submitted(run), engine::Fired{"nightly", moment(60), run}}).kind == Verdict::committed);
  auto end = done(run);
  end.delete_at = moment(4);
  REQUIRE(life.append({end}).kind == Verdict::committed);
  store::Watchdog watchdog;
  store::Connection connection(url, "test", watchdog, std::chrono::seconds(10));
  store::delete_expired(connection);
  CHECK(count(url, "SELECT count(*) FROM godwit.run") == 0);
  const auto open = life.loop.get<engine::OpenFires>(
      [&](auto answer) { life.store.open_fires("nightly", base::Instant{}, std::move(answer)); });
  CHECK(open.runs.empty());
}
