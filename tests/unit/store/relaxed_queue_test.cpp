#include "store/relaxed_queue.hpp"

#include <catch2/catch.hpp>

using namespace godwit;
using store::RelaxedQueue;

namespace {

engine::Logged line(std::int64_t run, std::string text = "x") {
  return {.run = model::RunId(run), .path = "s", .stream = "stdout", .text = std::move(text)};
}

std::vector<std::string> texts_of(const std::vector<RelaxedQueue::Entry>& entries, std::int64_t run) {
  std::vector<std::string> texts;
  for (const auto& [fact, size] : entries)
    if (const auto* logged = std::get_if<engine::Logged>(&fact); logged && logged->run == model::RunId(run))
      texts.push_back(logged->text);
  return texts;
}

}  // namespace

TEST_CASE("a run that logs very much leaves room for the others, and its gap is told where it is") {
  RelaxedQueue queue(100, 1 << 20);
  int taken = 0;
  for (int i = 0; i < 80; ++i) taken += queue.add(line(1, std::to_string(i))) ? 1 : 0;
  CHECK(taken == 50);
  for (int i = 0; i < 10; ++i) CHECK(queue.add(line(2)));
  const auto first = queue.take(30, 1 << 20, base::tick());
  CHECK(texts_of(first, 1).back() == "29");
  // There is room again, and what comes now comes behind the gap.
  CHECK(queue.add(line(1, "later")));
  const auto rest = queue.take(1000, 1 << 20, base::tick());
  CHECK(texts_of(rest, 2).size() == 10);
  const auto texts = texts_of(rest, 1);
  REQUIRE(texts.size() == 22);
  CHECK(texts[19] == "49");
  CHECK(texts[20] == "30 lines are left out here: they came faster than the database takes them");
  CHECK(texts[21] == "later");
  CHECK(queue.empty());
}

TEST_CASE("a gap at the end of a log is told as well") {
  RelaxedQueue queue(10, 1 << 20);
  for (int i = 0; i < 20; ++i) queue.add(line(1));
  const auto texts = texts_of(queue.take(100, 1 << 20, base::tick()), 1);
  REQUIRE(texts.size() == 6);
  CHECK(texts.back().starts_with("15 lines are left out"));
  CHECK(queue.empty());
  CHECK(queue.bytes() == 0);
}

TEST_CASE("the gap of a log that had no room at all is told when there is room") {
  RelaxedQueue queue(10, 1 << 20);
  for (int i = 0; i < 10; ++i) CHECK(queue.add(engine::ProgressNoted{model::RunId(100 + i), "{}"}));
  CHECK_FALSE(queue.add(line(2)));
  CHECK(queue.take(100, 1 << 20, base::tick()).size() == 10);
  CHECK(texts_of(queue.take(100, 1 << 20, base::tick()), 2).at(0).starts_with("1 line is left out here: it came"));
  CHECK(queue.empty());
}

TEST_CASE("long lines have a share by their size") {
  RelaxedQueue queue(1000, 100'000);
  int taken = 0;
  for (int i = 0; i < 20; ++i) taken += queue.add(line(1, std::string(9'000, 'x'))) ? 1 : 0;
  CHECK(taken == 5);
  CHECK(queue.add(line(2, std::string(9'000, 'y'))));
  CHECK_FALSE(queue.add(engine::ProgressNoted{model::RunId(3), std::string(90'000, 'z')}));
  CHECK(queue.add(engine::ProgressNoted{model::RunId(3), "{}"}));
  CHECK(queue.take(100, 20'000, base::tick()).size() == 2);
}
