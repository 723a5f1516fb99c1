// Goal: memory that a peak left behind goes back to the system, once and at rest. Method: many small pieces that are freed
// below one that stays, so that malloc keeps them.
#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "base/idle_trim.hpp"
#include "support/resident.hpp"

using namespace godwit;

#ifndef __SANITIZE_ADDRESS__  // which has a malloc of its own
namespace {

constexpr int kPieces = 20'000, kSize = 2000;

std::unique_ptr<char[]> leave_a_peak() {
  std::vector<std::unique_ptr<char[]>> pieces;
  for (int i = 0; i < kPieces; ++i) pieces.push_back(std::make_unique<char[]>(kSize));
  return std::make_unique<char[]>(kSize);
}

}  // namespace

TEST_CASE("what a peak left behind is given back at rest, and only then") {
  double busy = 0;
  base::IdleTrim trimmer([&] { return busy; });
  trimmer.trim();
  CHECK_FALSE(trimmer.look());
  const auto held = leave_a_peak();
  const auto peak = support::resident();
  busy = 0.9;
  CHECK_FALSE(trimmer.look());
  busy = 0.1;
  CHECK(trimmer.look());
  CHECK(support::resident() < peak - kPieces * kSize / 2);
  CHECK_FALSE(trimmer.look());
}
#endif
