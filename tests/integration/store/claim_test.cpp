// Goal: runs that nobody has go whole to a node that can do them, and to no other. Method: nodes that ask the store as the
// engine does, and a look at what became of the rows.
#include <catch2/catch.hpp>

#include "integration/store/facts.hpp"

using namespace godwit;
using namespace godwit::support;
using engine::Verdict;

namespace {

// A run of `one` that it gives away.
model::RunId give_away(Life& one, const std::string& pins, const std::string& migrated_to = {}) {
  auto fact = submitted(one.numbers(1).front());
  fact.pins = pins;
  std::vector<engine::Fact> facts{fact};
  if (!migrated_to.empty())
    for (const std::string& to : {std::string("{}"), migrated_to})
      facts.emplace_back(engine::RunChanged{fact.run, engine::RunChange::migrated, "ops",
                                            engine::migration_text(std::string(64, 'b'), to), "", moment()});
  REQUIRE(one.append(std::move(facts)).kind == Verdict::committed);
  REQUIRE(one.append({engine::RunReleased{fact.run}}).kind == Verdict::committed);
  return fact.run;
}

std::vector<model::RunId> claim(Life& life) {
  std::vector<model::RunId> runs;
  for (const auto& run : life.loop.get<std::vector<engine::Claimed>>(
           [&](auto answer) { life.store.cluster()->claim(100, true, std::move(answer)); }))
    runs.push_back(run.run);
  return runs;
}

}  // namespace

TEST_CASE("Runs are taken over by nodes that have what they are pinned to, a script's and a migrated one's too", "[store]") {
  const auto url = Postgres::shared().make_database();
  Life one(url), two(url, "two");
  sql(url, "UPDATE godwit.lease SET offers = ARRAY['a 1', 'b 2'] WHERE node = (SELECT id FROM godwit.node WHERE name = 'two')");
  const auto pinned = [](const std::string& version) {
    return R"({"a.x":{"callable":"a.x","plugin":"a","version":")" + version + "\"}}";
  };
  const std::vector<model::RunId> fitting{
      give_away(one, "{}"), give_away(one, pinned("1")), give_away(one, pinned("3"), pinned("1")),
      give_away(one, R"({"*":{"versions":{"a":"1","b":"1"},"providers":{"a/1":"a"}}})")};
  give_away(one, pinned("3"));
  give_away(one, pinned("1"), pinned("3"));
  give_away(one, R"({"*":{"versions":{"a":"1","c":"1"},"providers":{}}})");
  CHECK(claim(two) == fitting);
}
