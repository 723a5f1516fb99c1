#include <signal.h>

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <thread>

#include "integration/store/cutting_proxy.hpp"
#include "integration/store/facts.hpp"
#include "store/batch.hpp"
#include "store/cluster_queries.hpp"
#include "store/values.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;

namespace {

// Appends steps one after the other, a few hundred outstanding, and remembers which were acknowledged.
class Load {
 public:
  Load(Life& life, model::RunId run, int total) : life_(life), run_(run), total_(total) {
    for (int i = 0; i < 50; ++i) next();
  }
  bool finished() const { return settled_ == total_; }
  int settled() const { return settled_; }
  const std::set<std::string>& acknowledged() const { return acknowledged_; }

 private:
  void next() {
    if (begun_ == total_) return;
    const std::string path = "s" + std::to_string(begun_++);
    auto fact = step(run_, path);
    fact.emitted = {{"rows", "{}"}};
    life_.store.append({fact, engine::RunChanged{run_, engine::RunChange::resumed, "ops", path, "", moment()}},
                       [this, path](const Verdict& verdict) {
                         ++settled_;
                         if (verdict.kind == Verdict::committed) acknowledged_.insert(path);
                         next();
                       });
  }

  Life& life_;
  model::RunId run_;
  int total_, begun_ = 0, settled_ = 0;
  std::set<std::string> acknowledged_;
};

void check_stored(const std::string& url, const Load& load, int total) {
  CHECK(load.acknowledged().size() == static_cast<std::size_t>(total));
  std::set<std::string> stored;
  for (const auto& row : sql(url, "SELECT path FROM godwit.step")) stored.insert(row[0].as<std::string>());
  CHECK(stored == load.acknowledged());
  CHECK(count(url, "SELECT count(*) FROM godwit.emitted") == total);
  CHECK(count(url, "SELECT count(*) FROM godwit.run_change") == total);
  CHECK(count(url, "SELECT count(DISTINCT detail) FROM godwit.run_change") == total);
}

// A session that holds a row for as long as its test takes.
constexpr auto kHoldsLong = "SET idle_in_transaction_session_timeout = 0";

std::vector<int> backends_with(const std::string& url, const std::string& condition) {
  std::vector<int> backends;
  for (const auto& row :
       sql(url, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND " + condition))
    backends.push_back(row[0].as<int>());
  return backends;
}

// The server's processes that write for the store: the journal's, and that of the express lane.
constexpr auto kWriting = "application_name IN ('godwit journal', 'godwit express')";
std::vector<int> writing_backends(const std::string& url) {
  return backends_with(url, kWriting);
}

// Those of `which` that wait for a row that a test holds.
std::vector<int> blocked_backends(const std::string& url, const std::string& which) {
  return backends_with(url, "wait_event_type = 'Lock' AND " + which);
}

}  // namespace

TEST_CASE("Sessions that are ended by force under load lose and repeat nothing", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  Load load(life, life.submit(), 3000);
  for (const int at : {200, 700, 1200, 1900, 2500}) {
    REQUIRE(life.loop.wait([&] { return load.settled() >= at; }));
    sql(url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        "pg_backend_pid()");
  }
  REQUIRE(life.loop.wait([&] { return load.finished(); }));
  check_stored(url, load, 3000);
  CHECK(life.store.status().at("state").as_string() == "up");
}

TEST_CASE("A backend killed in the middle of its work takes nothing with it", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  Load load(life, life.submit(), 2000);
  REQUIRE(life.loop.wait([&] { return load.settled() >= 500; }));
  for (const int backend : writing_backends(url)) kill(backend, SIGKILL);
  REQUIRE(life.loop.wait([&] { return load.finished(); }));
  check_stored(url, load, 2000);
}

TEST_CASE("A submit by SQL that another node took while this one's commit was in doubt stays the other's", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url), two(url, "two");
  const auto run = model::RunId(count(url, "SELECT godwit.submit('flock')"));
  auto fact = submitted(run);
  fact.from_inbox = true;
  const auto bystander = submitted(one.numbers(1).front());
  store::Watchdog watchdog;
  store::Connection holder(url, "test", watchdog, std::chrono::seconds(10));
  holder.exec(kHoldsLong);
  std::vector<Verdict> verdicts;
  {
    pqxx::work work(holder.session());
    work.exec("SELECT FROM godwit.node WHERE name = 'one' FOR UPDATE");
    for (const auto& facts : {std::vector<engine::Fact>{fact, done(run)}, std::vector<engine::Fact>{bystander}})
      one.store.append(facts, [&](const Verdict& verdict) { verdicts.push_back(verdict); });
    REQUIRE(one.loop.wait([&] { return !blocked_backends(url, kWriting).empty(); }));
    REQUIRE(two.append({fact}).kind == Verdict::committed);
    for (const int backend : blocked_backends(url, kWriting))
      sql(url, "SELECT pg_terminate_backend(" + std::to_string(backend) + ")");
  }
  REQUIRE(one.loop.wait([&] { return verdicts.size() == 2; }));
  CHECK(verdicts[0].kind == Verdict::duplicate);
  CHECK(verdicts[0].existing == run);
  CHECK(verdicts[1].kind == Verdict::committed);
  CHECK(count(url, "SELECT count(*) FROM godwit.run_done") == 0);
  CHECK(count(url, "SELECT count(*) FROM godwit.run") == 2);
}

TEST_CASE("Who has taken over runs without hearing of it finds them, and numbers its facts anew", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  auto fact = submitted(life.numbers(1).front());
  fact.pins = "{}";
  fact.options = R"({"queue":"chat"})";
  REQUIRE(life.append({fact}).kind == Verdict::committed);
  REQUIRE(life.append({engine::RunReleased{fact.run}}).kind == Verdict::committed);
  const auto last_block = [&] { return count(url, "SELECT last_value FROM godwit.fact_block"); };
  const auto before = last_block();
  store::Watchdog watchdog;
  store::Connection holder(url, "test", watchdog, std::chrono::seconds(10));
  holder.exec(kHoldsLong);
  // The statement that is carried out and whose answer nobody hears.
  const store::NodeSeat seat{.node = 1, .epoch = count(url, "SELECT epoch FROM godwit.node WHERE id = 1")};
  REQUIRE(store::claim_runs(holder, seat, 10, true).runs.size() == 1);
  std::optional<engine::Result<std::vector<engine::Claimed>>> claimed;
  {
    pqxx::work work(holder.session());
    work.exec("SELECT FROM godwit.node WHERE name = 'one' FOR UPDATE");
    life.store.cluster()->claim(10, true, [&](auto given) { claimed.emplace(std::move(given)); });
    std::vector<int> blocked;
    REQUIRE(life.loop.wait([&] {
      blocked = blocked_backends(url, "application_name = 'godwit nodes'");
      return blocked.size() == 1;
    }));
    sql(url, "SELECT pg_terminate_backend(" + std::to_string(blocked.front()) + ")");
  }
  REQUIRE(life.loop.wait([&] { return claimed.has_value(); }));
  REQUIRE(*claimed);
  REQUIRE((*claimed)->size() == 1);
  CHECK((*claimed)->front().run == fact.run);
  CHECK((*claimed)->front().options == fact.options);
  CHECK(last_block() == before + 2);
  REQUIRE(life.append({engine::Audited{1, "ann", "test", "", "{}", moment()}}).kind == Verdict::committed);
  CHECK(count(url, "SELECT number >> 30 FROM godwit.audit") == before + 2);
  // It is said once.
  const auto again = life.loop.get<std::vector<engine::Claimed>>(
      [&](auto answer) { life.store.cluster()->claim(10, true, std::move(answer)); });
  CHECK(again.empty());
}

TEST_CASE("A postmaster killed under load is started again, and every acknowledged step is there once", "[store]") {
  auto& postgres = Postgres::shared();
  const auto url = postgres.make_database();
  Life life(url);
  const auto run = life.submit();
  Load load(life, run, 2000);
  REQUIRE(life.loop.wait([&] { return load.settled() >= 600; }));
  const pid_t before = postgres.cluster().pid();
  kill(before, SIGKILL);
  REQUIRE(life.loop.wait([&] { return load.finished(); }));
  // The sessions of a dead postmaster live on until they notice.
  REQUIRE(life.loop.wait([&] { return postgres.cluster().pid() != before; }));
  CHECK(life.append({engine::ProgressNoted{run, "{}"}}).kind == Verdict::committed);
  check_stored(url, load, 2000);
}

TEST_CASE("Connections cut around the commit lose and repeat nothing", "[store]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  auto& postgres = Postgres::shared();
  const auto url = postgres.make_database();
  std::string database = url.substr(url.find("dbname="));
  CuttingProxy proxy(postgres.socket_path(), seed, 12, 60);
  Life life("host=127.0.0.1 sslmode=disable gssencmode=disable user=godwit port=" + std::to_string(proxy.port()) + " " +
            database);
  Load load(life, life.submit(), 3000);
  life.loop.wait([&] { return load.finished() || proxy.cuts() > 25; });
  proxy.stop_cutting();
  REQUIRE(life.loop.wait([&] { return load.finished(); }));
  CHECK(proxy.cuts() > 0);
  check_stored(url, load, 3000);
  life.store.stop();
}

TEST_CASE("A frozen backend is given up after the limit and its batch is written by another session", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url, "one", std::chrono::seconds(1));
  const auto run = life.submit();
  const auto backends = writing_backends(url);
  REQUIRE_FALSE(backends.empty());
  for (const int backend : backends) kill(backend, SIGSTOP);
  std::optional<Verdict> verdict;
  life.store.append({step(run, "s")}, [&](Verdict given) { verdict = std::move(given); });
  CHECK(life.loop.wait([&] { return verdict.has_value(); }));
  for (const int backend : backends) kill(backend, SIGCONT);
  REQUIRE(verdict);
  CHECK(verdict->kind == Verdict::committed);
  CHECK(count(url, "SELECT count(*) FROM godwit.step") == 1);
}

TEST_CASE("While the database refuses connections nothing is acknowledged and stop() ends what waits", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  const auto run = life.submit();
  const auto name = url.substr(url.find("dbname=") + 7);
  const auto admin = Postgres::shared().cluster().url("postgres");
  sql(admin, "ALTER DATABASE " + name + " ALLOW_CONNECTIONS false");
  sql(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'");
  bool settled = false;
  life.store.append({step(run, "s")}, [&](const Verdict&) { settled = true; });
  REQUIRE(life.loop.wait([&] { return life.store.status().at("state").as_string() == "down"; }));
  CHECK(life.store.status().at("error").as_string().size() > 0);
  std::optional<bool> good;
  life.store.load_limits([&](auto result) { good = bool(result); });
  life.store.stop(std::chrono::milliseconds(100));
  REQUIRE(life.loop.wait([&] { return good.has_value(); }));
  CHECK_FALSE(*good);
  CHECK_FALSE(settled);
}

TEST_CASE("A database that is away at the start is waited for", "[store]") {
  const auto url = Postgres::shared().make_database();
  const auto name = url.substr(url.find("dbname=") + 7);
  const auto admin = Postgres::shared().cluster().url("postgres");
  sql(admin, "ALTER DATABASE " + name + " ALLOW_CONNECTIONS false");
  Loop loop;
  store::PostgresStore store({url, "one", {}, {}}, loop, &loop);
  bool started = false;
  store.start([&](auto result) { started = bool(result); });
  REQUIRE(loop.wait([&] { return store.status().contains("error"); }));
  CHECK(store.status().at("state").as_string() == "starting");
  CHECK_FALSE(started);
  sql(admin, "ALTER DATABASE " + name + " ALLOW_CONNECTIONS true");
  REQUIRE(loop.wait([&] { return started; }));
  CHECK(store.status().at("state").as_string() == "up");
}

TEST_CASE("A run that was given away and taken again stays, though its release is sent once more", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  auto fact = submitted(life.numbers(1).front());
  fact.pins = "{}";
  const auto run = fact.run;
  REQUIRE(life.append({fact}).kind == Verdict::committed);
  const auto owner = [&] { return count(url, "SELECT godwit.owner(" + model::text(run) + ")"); };
  const auto take = [&] {
    return life.loop
        .get<std::vector<engine::Claimed>>([&](auto answer) { life.store.cluster()->claim(10, true, std::move(answer)); })
        .size();
  };
  const auto me = owner();
  const store::NodeSeat seat{.node = static_cast<int>(me), .epoch = count(url, "SELECT epoch FROM godwit.node WHERE name = 'one'")};
  // As the journal does it while it does not know whether the release was committed.
  store::FactNumbers numbers;
  store::Watchdog watchdog;
  store::Connection connection(url, "test", watchdog, std::chrono::seconds(10));
  const auto send = [&](std::int64_t block, bool repeated) {
    store::Batch batch(numbers);
    numbers.start(block);
    batch.add(engine::RunReleased{run});
    batch.finish();
    std::vector<pqxx::binarystring> values;
    for (auto* column : batch.columns()) values.push_back(store::parameter(*column));
    connection.transaction([&](pqxx::work& work) {
      work.exec_params(store::journal_statement({.mask = batch.mask(), .repeated = repeated}), seat.node, seat.epoch,
                       pqxx::prepare::make_dynamic_params(values));
    });
  };
  const auto block = count(url, "SELECT last_value FROM godwit.fact_block");
  send(block, false);
  CHECK(owner() == 0);
  REQUIRE(take() == 1);
  send(block, true);
  CHECK(owner() == me);
  // Nor does what was sent to drain the node, and arrives late.
  store::release_runs_but(connection, seat, {}, block + 1);
  CHECK(owner() == me);
  // What it gives away of its own will from now on has the number of the block that came with the run.
  REQUIRE(life.append({engine::RunReleased{run}}).kind == Verdict::committed);
  CHECK(owner() == 0);
}
