#include <catch2/catch.hpp>

#include "store/unfolded_runs.hpp"

using godwit::store::UnfoldedRuns;

TEST_CASE("The range of unfolded runs is that of those that are left", "[store]") {
  UnfoldedRuns runs;
  CHECK(runs.range().first > runs.range().last);
  runs.add({5, 9, 2});
  runs.add({7});
  CHECK(runs.size() == 4);
  CHECK(runs.range().first == 2);
  CHECK(runs.range().last == 9);
  runs.drop(3);
  CHECK(runs.range().first == 7);
  CHECK(runs.range().last == 7);
  // More than there are: the store knew of others.
  runs.drop(3);
  CHECK(runs.size() == 0);
  CHECK(runs.range().first > runs.range().last);
}
