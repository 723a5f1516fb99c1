#include <catch2/catch.hpp>

#include "engine/plan.hpp"

using namespace godwit;
using engine::Plan;
using engine::StepRef;

namespace {
constexpr auto kOk = model::StepState::succeeded;
using Needs = std::vector<std::vector<std::size_t>>;
}  // namespace

TEST_CASE("a stage opens when all its needs are done") {
  Plan plan(Needs{{}, {}, {0, 1}});
  REQUIRE(plan.next_to_open() == 0u);
  plan.open(0);
  REQUIRE(plan.next_to_open() == 1u);
  plan.open(1);
  CHECK_FALSE(plan.next_to_open());
  const auto first = plan.next_step();
  REQUIRE(first == StepRef{0, StepRef::kSingle});
  plan.left(*first);
  plan.finished(*first, kOk);
  CHECK_FALSE(plan.next_to_open());
  const auto second = plan.next_step();
  plan.left(*second);
  plan.finished(*second, kOk);
  CHECK(plan.next_to_open() == 2u);
}

TEST_CASE("a foreach hands out no more than its parallelism and each item once") {
  Plan plan(Needs{{}});
  plan.open(0, 5, 2);
  const auto a = plan.next_step(), b = plan.next_step();
  REQUIRE(a);
  REQUIRE(b);
  CHECK_FALSE(plan.next_step());
  plan.left(*a);
  const auto c = plan.next_step();
  REQUIRE(c);
  CHECK(c->item == 2);
  CHECK_FALSE(plan.next_step());
}

TEST_CASE("steps that are done but not recorded stop a stage at its parallelism") {
  const int parallel = GENERATE(1, 2, 50);
  Plan plan(Needs{{}});
  plan.open(0, 1000, parallel);
  int handed = 0;
  while (const auto step = plan.next_step()) {
    plan.left(*step);
    ++handed;
  }
  CHECK(handed == parallel);
  plan.finished({0, 0}, kOk);
  CHECK(plan.next_step());
}

TEST_CASE("items of an earlier life are not handed out again") {
  Plan plan(Needs{{}});
  plan.open(0, 4, 4);
  plan.finished({0, 1}, kOk);
  plan.finished({0, 2}, kOk);
  CHECK(plan.next_step()->item == 0);
  const auto last = plan.next_step();
  CHECK(last->item == 3);
  CHECK_FALSE(plan.next_step());
  CHECK(plan.counts(0).finished() == 2);
  CHECK_FALSE(plan.is_last(*last));
  plan.left({0, 0});
  plan.finished({0, 0}, kOk);
  CHECK(plan.is_last(*last));
  plan.left(*last);
  plan.finished(*last, kOk);
  CHECK(plan.done());
}

TEST_CASE("a foreach over nothing is done at once") {
  Plan plan(Needs{{}, {0}});
  plan.open(0, 0, 8);
  CHECK(plan.phase(0) == Plan::Phase::done);
  CHECK(plan.next_to_open() == 1u);
}

TEST_CASE("a step cannot finish twice") {
  Plan plan(Needs{{}});
  plan.open(0, 2, 2);
  const auto step = plan.next_step();
  plan.left(*step);
  plan.finished(*step, kOk);
  CHECK_THROWS_AS(plan.finished(*step, kOk), std::logic_error);
}
