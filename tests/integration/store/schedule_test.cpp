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
  // The node looks for such runs by itself, too: what it is just deleting, others pass over.
  CHECK(life.loop.wait([&] { return count(url, "SELECT count(*) FROM godwit.run") == 0; }));
  const auto open = life.loop.get<engine::OpenFires>(
      [&](auto answer) { life.store.open_fires("nightly", base::Instant{}, std::move(answer)); });
  CHECK(open.runs.empty());
}

TEST_CASE("Of a run and a reason that there is none, a fire time keeps what was stored first", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url, "one"), two(url, "two");
  const auto numbers = two.numbers(4);
  const auto fire = [](model::RunId run, int second, bool made_up = false) {
    return std::vector<engine::Fact>{submitted(run), engine::Fired{"nightly", moment(second), run, made_up}};
  };
  const auto fires = [&] {
    std::vector<std::string> shown;
    for (const auto& it : one.loop.get<base::json::array>([&](auto answer) { one.store.list_fires("nightly", 10, answer); }))
      shown.push_back(it.at("run").is_null() ? std::string(it.at("why").as_string()) : base::json::serialize(it.at("run")));
    return shown;
  };
  REQUIRE(one.append({nightly()}).kind == Verdict::committed);
  REQUIRE(one.append({engine::FireSkipped{"nightly", moment(10), "overlap", moment(11)}}).kind == Verdict::committed);
  const auto refused = two.append(fire(numbers[0], 10));
  CHECK(refused.kind == Verdict::duplicate);
  CHECK_FALSE(refused.existing);
  CHECK(refused.message == "overlap");
  const auto seen = two.loop.get<engine::OpenFires>(
      [&](auto answer) { two.store.open_fires("nightly", moment(10), answer); });
  CHECK(seen.skipped == "overlap");
  CHECK(fires() == std::vector<std::string>{"overlap"});

  REQUIRE(two.append(fire(numbers[1], 20)).kind == Verdict::committed);
  REQUIRE(one.append({engine::FireSkipped{"nightly", moment(20), "overlap", moment(21)}}).kind == Verdict::committed);
  CHECK(fires() == std::vector<std::string>{model::text(numbers[1]), "overlap"});

  // A backfill makes up for what was skipped, once, and never for what led to a run.
  REQUIRE(two.append(fire(numbers[2], 10, true)).kind == Verdict::committed);
  const auto again = one.append(fire(numbers[3], 10, true));
  CHECK(again.kind == Verdict::duplicate);
  CHECK(again.existing == numbers[2]);
  CHECK(fires() == std::vector<std::string>{model::text(numbers[1]), model::text(numbers[2])});
}

TEST_CASE("Two nodes that differ about many fire times leave one record of each", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url, "one"), two(url, "two");
  REQUIRE(one.append({nightly()}).kind == Verdict::committed);
  constexpr int kTimes = 200;
  const auto runs = two.numbers(kTimes);
  int verdicts = 0, with_run = 0;
  for (int i = 0; i < kTimes; ++i) {
    one.store.append({engine::FireSkipped{"nightly", moment(i), "overlap", moment(i)}}, [&](const Verdict&) { ++verdicts; });
    two.store.append({submitted(runs[static_cast<std::size_t>(i)]),
                      engine::Fired{"nightly", moment(i), runs[static_cast<std::size_t>(i)]}},
                     [&](const Verdict& verdict) {
                       ++verdicts;
                       with_run += verdict.kind == Verdict::committed ? 1 : 0;
                     });
  }
  REQUIRE(one.loop.wait([&] { return two.loop.wait([&] { return verdicts == 2 * kTimes; }, std::chrono::milliseconds(5)); }));
  const auto fires = one.loop.get<base::json::array>([&](auto answer) { one.store.list_fires("nightly", 1000, answer); });
  CHECK(fires.size() == kTimes);
  CHECK(std::count_if(fires.begin(), fires.end(), [](const auto& fire) { return !fire.at("run").is_null(); }) == with_run);
}

TEST_CASE("Two backfills of the same fire times at once give each one run", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url, "one");
  REQUIRE(life.append({nightly()}).kind == Verdict::committed);
  constexpr int kTimes = 50;
  const auto runs = life.numbers(2 * kTimes);
  int stored = 0, refused = 0;
  for (int i = 0; i < 2 * kTimes; ++i) {
    const auto run = runs[static_cast<std::size_t>(i)];
    life.store.append({submitted(run), engine::Fired{"nightly", moment(i / 2), run, true}}, [&](const Verdict& verdict) {
      ++(verdict.kind == Verdict::committed ? stored : refused);
      if (verdict.kind == Verdict::duplicate) CHECK(verdict.existing);
    });
  }
  REQUIRE(life.loop.wait([&] { return stored + refused == 2 * kTimes; }));
  CHECK(stored == kTimes);
  const auto fires = life.loop.get<base::json::array>([&](auto answer) { life.store.list_fires("nightly", 1000, answer); });
  CHECK(fires.size() == kTimes);
}
