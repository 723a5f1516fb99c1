// Goal: what the daemon asks and writes again and again reads in proportion to what it is about, however large the tables
// are. Method: tables with many rows, a store that does its work on them, and the plans that PostgreSQL says it has
// executed (auto_explain), whose scans are added up.
#include <catch2/catch.hpp>
#include <fstream>
#include <optional>
#include <set>

#include "integration/store/facts.hpp"
#include "store/tables.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;
namespace json = base::json;

namespace {

constexpr int kRuns = 20'000;
constexpr int kPage = 100;
// Rows and looks at indexes for each row that is asked for: a page of runs takes about ten, for the run itself and for what
// may be known of it in other tables.
constexpr double kEach = 16;

double number(const json::object& node, const char* name) {
  const auto* value = node.if_contains(name);
  return value ? value->to_number<double>() : 0;
}

// What a node of a plan and those below it have read of tables; one look that finds nothing counts too.
double rows_read(const json::object& node) {
  double rows = 0;
  const std::string_view type = node.at("Node Type").as_string();
  if (node.contains("Relation Name") && type.ends_with("Scan") && number(node, "Actual Loops") > 0)
    rows = number(node, "Actual Loops") *
           std::max(1.0, number(node, "Actual Rows") + number(node, "Rows Removed by Filter") +
                             number(node, "Rows Removed by Index Recheck"));
  if (const auto* below = node.if_contains("Plans"))
    for (const auto& plan : below->as_array()) rows += rows_read(plan.as_object());
  return rows;
}

// The statements that the server has executed since this was made, as far as their text has a word in it.
class Executed {
 public:
  // The log begins anew, which the server's supervisor else does in between, once it is long.
  Executed() : log_(Postgres::shared().log_path()) { std::filesystem::resize_file(log_, 0); }

  struct Statement {
    std::string text, plan;
    double rows;
  };
  std::vector<Statement> with(std::string_view word) const {
    std::vector<Statement> found;
    std::ifstream in(log_);
    std::string plan;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with('\t')) {
        if (inside) plan += line.substr(1) + "\n";
        continue;
      }
      take(plan, word, found);
      inside = line.ends_with("plan:");
    }
    // The last one may still be being written, by a session that nobody waits for.
    if (plan.ends_with("\n}\n")) take(plan, word, found);
    return found;
  }

 private:
  static void take(std::string& plan, std::string_view word, std::vector<Statement>& found) {
    if (plan.empty()) return;
    const auto value = base::parse_json(plan).as_object();
    const std::string text(value.at("Query Text").as_string());
    if (text.find(word) != std::string::npos) found.push_back({text, plan, rows_read(value.at("Plan").as_object())});
    plan.clear();
  }

  std::string log_;
};

// The only statement since then with this word in its text has not read more than so many rows.
void check_read(const Executed& executed, std::string_view word, double most) {
  const auto statements = executed.with(word);
  REQUIRE(statements.size() == 1);
  INFO(statements[0].plan);
  CHECK(statements[0].rows > 0);
  CHECK(statements[0].rows <= most);
}

constexpr auto kPageText = "folded AS MATERIALIZED";
constexpr auto kJournalText = "WITH fence AS MATERIALIZED";

// A database whose sessions, from the next on, write down the plans they have executed.
void explain_all(const std::string& url) {
  sql(url,
      "DO $$ DECLARE setting text; BEGIN FOREACH setting IN ARRAY ARRAY['session_preload_libraries = auto_explain', "
      "'auto_explain.log_min_duration = 0', 'auto_explain.log_analyze = on', 'auto_explain.log_timing = off', "
      "'auto_explain.log_format = json'] LOOP EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting); END "
      "LOOP; END $$");
}

// Facts of `count` runs that were submitted after run `first`; those before the last `open` have ended.
void fill(const std::string& url, int first, int count, int open, const std::string& options = "NULL") {
  const std::string all = "generate_series(" + std::to_string(first + 1) + ", " + std::to_string(first + count) + ") g";
  const std::string ended = all + " WHERE g <= " + std::to_string(first + count - open);
  sql(url,
      "INSERT INTO godwit.run (id, node, number, submitted_at, job, version, submitted_by, params, pins, options) SELECT g, 1, g, "
      "now(), 'j', repeat('a', 64), 'u', '{}', '{}', " + options + " FROM " + all +
          ";INSERT INTO godwit.run_done SELECT g, now(), 5, '{}' FROM " + ended +
          ";INSERT INTO godwit.step SELECT g, 7, now(), now(), 1, 0, 's', '1', NULL FROM " + ended +
          ";INSERT INTO godwit.rest SELECT g, 1, now(), 1, 0 FROM " + ended);
}

std::string new_database() {
  const auto url = Postgres::shared().make_database();
  Life life(url);
  return url;
}

std::vector<model::RunId> submit_many(Life& life, int count, const std::string& options = {}) {
  const auto runs = life.numbers(static_cast<std::size_t>(count));
  std::vector<engine::Fact> facts;
  for (const auto run : runs) {
    facts.emplace_back(submitted(run));
    std::get<engine::Submitted>(facts.back()).options = options;
  }
  REQUIRE(life.append(std::move(facts)).kind == Verdict::committed);
  return runs;
}

// Run numbers go on after those that were filled in.
void number_from(const std::string& url, int first) {
  sql(url, "SELECT setval('godwit.run_number', " + std::to_string(first) + "), setval('godwit.fact_block', 1000)");
}

}  // namespace

TEST_CASE("A page of unfinished runs reads no more than a page, whatever the planner knows", "[store]") {
  const bool analyzed = GENERATE(false, true);
  const auto url = new_database();
  // A history, a backlog that was folded, and one that was not.
  fill(url, 0, 2 * kRuns, kRuns);
  number_from(url, 2 * kRuns);
  if (analyzed) sql(url, "ANALYZE");
  explain_all(url);
  Life life(url);
  const auto fresh = submit_many(life, kRuns);
  if (analyzed) sql(url, "ANALYZE");
  for (const auto& [after, first] : {std::pair(model::RunId(0), kRuns + 1), std::pair(model::RunId(kRuns + 500), kRuns + 501),
                                     std::pair(model::RunId(2 * kRuns - kPage / 2), 2 * kRuns - kPage / 2 + 1),
                                     std::pair(fresh[500], static_cast<int>(model::number(fresh[501])))}) {
    INFO("analyzed " << analyzed << ", after " << model::number(after));
    const Executed executed;
    const auto page = life.unfinished(kPage, after);
    REQUIRE(page.size() == kPage);
    CHECK(model::number(page.front().run.run) == first);
    check_read(executed, kPageText, kEach * kPage);
  }
  // And nothing at all beyond the last.
  const Executed executed;
  CHECK(life.unfinished(kPage, fresh.back()).empty());
  check_read(executed, kPageText, kEach);
}

TEST_CASE("A page of ranked runs reads no more than a page", "[store]") {
  const auto url = new_database();
  fill(url, 0, 2 * kRuns, kRuns, R"('{"priority":5}')");
  number_from(url, 2 * kRuns);
  explain_all(url);
  Life life(url);
  submit_many(life, kRuns, R"({"queue":"chat"})");
  for (const auto after : {kRuns, 2 * kRuns - kPage / 2, 2 * kRuns + 500}) {
    INFO("after " << after);
    const Executed executed;
    const auto page = life.loop.get<std::vector<engine::RankedRun>>(
        [&](auto answer) { life.store.load_ranked(model::RunId(after), kPage, std::move(answer)); });
    REQUIRE(page.size() == kPage);
    CHECK(model::number(page.front().run) == after + 1);
    check_read(executed, kPageText, kEach * kPage);
  }
}

TEST_CASE("What is written reads no more than what it is about", "[store]") {
  const auto url = new_database();
  fill(url, 0, kRuns, kRuns / 2);
  sql(url,
      "INSERT INTO godwit.run_unique SELECT 'j', g::text, g FROM generate_series(10001, 20000) g;"
      "INSERT INTO godwit.attempt SELECT g, now(), NULL, 1, 0, 's', NULL FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.wait SELECT g, now(), NULL, NULL, 1, 'w', 'n' FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.signal SELECT g, 1, now(), 'n', '{}', 'w' FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.lock (run, path, name, permits, granted, at) SELECT g, 's', 'name' || g, 1, true, now() FROM generate_series(1, 20000) g;"
      "INSERT INTO godwit.inbox SELECT g, 'j', '{}', NULL, 'u' FROM generate_series(50001, 70000) g");
  number_from(url, kRuns);
  if (GENERATE(false, true)) sql(url, "ANALYZE");
  explain_all(url);
  Life life(url);
  const auto runs = life.numbers(kPage);
  const Executed executed;
  std::vector<engine::Fact> facts;
  for (int i = 0; i < kPage; ++i) {
    const auto old = model::RunId(kRuns / 2 + 1 + i);
    facts.emplace_back(submitted(runs[i]));
    facts.emplace_back(submitted(model::RunId(50'001 + i)));
    std::get<engine::Submitted>(facts.back()).from_inbox = true;
    facts.emplace_back(step(old, "s"));
    facts.emplace_back(engine::SignalTaken{old, 1});
    facts.emplace_back(engine::CursorMoved{old, "each", "{}", {"s"}});
    facts.emplace_back(engine::LockReleased{old, "s", "name"});
    facts.emplace_back(engine::RunRested{model::RunId(1 + i), true, {}});
    auto end = done(model::RunId(kRuns / 2 + 1 + i));
    end.was_unique = end.had_locks = true;
    facts.emplace_back(end);
  }
  REQUIRE(life.append(std::move(facts)).kind == Verdict::committed);
  check_read(executed, kJournalText, kEach * kPage);
}

TEST_CASE("Taking over runs reads no more than is taken", "[store]") {
  const auto url = new_database();
  fill(url, 0, 2 * kRuns, kRuns);
  number_from(url, 2 * kRuns);
  {
    Life gone(url);
    gone.leave(url);
  }
  explain_all(url);
  Life life(url, "two");
  const Executed executed;
  const auto claimed = life.loop.get<std::vector<engine::Claimed>>(
      [&](auto answer) { life.store.cluster()->claim(kPage, true, std::move(answer)); });
  CHECK(claimed.size() == kPage);
  check_read(executed, "FOR UPDATE OF o SKIP LOCKED", kEach * kPage);
}

TEST_CASE("Runs are folded as far as they have ended, and what is open is not written twice", "[store]") {
  constexpr int kEnds = 10'000, kOpen = 5'000;
  const auto url = new_database();
  fill(url, 0, 5 * kEnds, 0);
  number_from(url, 5 * kEnds);
  explain_all(url);
  Life life(url);
  const auto runs = submit_many(life, kEnds + kOpen);
  const Executed executed;
  std::vector<engine::Fact> facts;
  for (int i = 0; i < kEnds; ++i) facts.emplace_back(done(runs[i]));
  REQUIRE(life.append(std::move(facts)).kind == Verdict::committed);
  // The fold comes after the batch that made it due, on another connection.
  const auto folded = [&] { return count(url, "SELECT number FROM godwit.fold"); };
  const auto before = count(url, "SELECT max(number) FROM godwit.run WHERE id <= " + std::to_string(5 * kEnds));
  REQUIRE(life.loop.wait([&] { return folded() > before; }));
  CHECK(folded() == count(url, "SELECT number FROM godwit.run WHERE id = " + model::text(runs[kEnds - 1])));
  CHECK(count(url, "SELECT count(*) FROM godwit.open_run") == 0);
  check_read(executed, "WITH oldest AS MATERIALIZED", 4.0 * kEnds);
  const auto page = life.unfinished(kPage);
  REQUIRE(page.size() == kPage);
  CHECK(page.front().run.run == runs[kEnds]);
}

TEST_CASE("However many mixtures of rows are written, a session knows a bounded number of statements", "[store]") {
  const auto url = new_database();
  explain_all(url);
  Life life(url);
  const auto runs = submit_many(life, 256);
  std::set<std::string> texts;
  std::optional<Executed> executed;
  // Plans of all of them would make a log so long that the supervisor cuts it.
  const auto gather = [&] {
    if (executed)
      for (const auto& statement : executed->with(kJournalText)) texts.insert(statement.text);
    executed.emplace();
  };
  for (unsigned mixture = 1; mixture < 256; ++mixture) {
    if (mixture % 32 == 1) gather();
    const auto run = runs[mixture];
    const std::vector<engine::Fact> each{step(run, "s"),
                                         engine::AttemptStarted{run, "a", 1, moment()},
                                         engine::CheckpointPut{run, "s", "k", "1"},
                                         engine::WaitOpened{.run = run, .path = "w", .at = moment()},
                                         engine::RunRested{run, true, {}},
                                         engine::CursorMoved{run, "each", "{}", {}},
                                         engine::Audited{1, "ann", "test", "", "{}", moment()},
                                         engine::FireSkipped{"nightly", moment(static_cast<int>(mixture)), "why", moment()}};
    std::vector<engine::Fact> facts;
    for (unsigned i = 0; i < each.size(); ++i)
      if (mixture >> i & 1) facts.push_back(each[i]);
    REQUIRE(life.append(std::move(facts)).kind == Verdict::committed);
  }
  for (const char* table : {"step", "attempt", "checkpoint", "wait", "rest", "cursor", "audit", "fire"})
    CHECK(count(url, std::string("SELECT count(*) FROM godwit.") + table) == 128);
  gather();
  // Of the express lane and of the journal's thread, and of each the one for all.
  CHECK(texts.size() >= store::kFormsMax);
  CHECK(texts.size() <= 2 * (store::kFormsMax + 1));
}
