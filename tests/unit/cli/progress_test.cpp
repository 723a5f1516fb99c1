#include "cli/progress.hpp"

#include <catch2/catch.hpp>

#include "base/terminal.hpp"

using namespace godwit;
using namespace godwit::cli;
using namespace std::chrono_literals;
namespace json = base::json;

namespace {

Progress half_way() {
  Progress progress;
  progress.update({{"event", "progress"}, {"run", 17}, {"state", "running"}, {"done", 1250}, {"total", 5000}, {"failed", 0},
                   {"fields", {{"best_price", 312}}},
                   {"stages", json::array{json::object{{"name", "search"}, {"state", "running"}, {"done", 1250}, {"total", 4999}},
                                          json::object{{"name", "rank"}, {"state", "pending"}, {"done", 0}, {"total", 1}}}}});
  progress.rate = 85.4;
  progress.left = 44s;
  return progress;
}

}  // namespace

TEST_CASE("The progress bar says what a person wants to know") {
  CHECK(progress_bar(half_way(), 100) == "run 17 [==========>                             ] 1,250/5,000 25% 85.4/s 0:44 left best_price=312");
}

TEST_CASE("The progress bar never passes the width it has") {
  auto progress = half_way();
  progress.failed = 3;
  progress.fields["city"] = "東京";
  for (std::size_t width = 0; width < 120; ++width) CHECK(base::display_width(progress_bar(progress, width)) <= width);
  CHECK(progress_bar(half_way(), 40) == "run 17 [===>           ] 1,250/5,000 25%");
}

TEST_CASE("The bar of a run that has just begun, is done, or counts nonsense has its length") {
  Progress progress;
  progress.run = 1;
  CHECK(progress_bar(progress, 60).starts_with("run 1 ["));
  progress.state = "waiting";
  CHECK(progress_bar(progress, 60).starts_with("run 1 waiting ["));
  progress.state = "running";
  progress.done = progress.total = 7;
  CHECK(progress_bar(progress, 80) == "run 1 [========================================] 7/7 100%");
  progress.done = 9;
  CHECK(progress_bar(progress, 80) == "run 1 [========================================] 9/7 100%");
}

TEST_CASE("In a pipe the line also names the stages that are open") {
  CHECK(progress_text(half_way()) == "run 17 running 1,250/5,000 25% 85.4/s 0:44 left best_price=312 (search 1,250/4,999)");
}

TEST_CASE("Fields of plugins cannot steer the terminal or fill it") {
  Progress progress;
  progress.update({{"run", 1}, {"fields", {{"a\x1b", "b\x1b[2J"}, {"long", std::string(500, 'x')}, {"deep", json::array{1}}}}});
  const auto text = progress_text(progress);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.size() < 120);
  CHECK(text.find("deep") == std::string::npos);
}

TEST_CASE("Members of another type than ours are passed over") {
  Progress progress = half_way();
  progress.update({{"done", "many"}, {"total", -4}, {"fields", 7}, {"stages", "none"}, {"state", 1}});
  CHECK(progress.done == 1250);
  CHECK(progress.total == 5000);
  CHECK(progress.stages.size() == 2);
  progress.update({{"stages", json::array{1, json::object()}}});
  CHECK(progress.stages.size() == 1);
}

TEST_CASE("Speed is that of the last seconds") {
  Speed speed;
  base::Tick at{};
  CHECK(speed.per_second() == 0);
  speed.note(at, 0);
  CHECK(speed.per_second() == 0);
  for (int i = 1; i <= 100; ++i) speed.note(at += 1s, i);
  CHECK(speed.per_second() == Approx(1));
  std::int64_t done = 100;
  for (int i = 1; i <= 100; ++i) speed.note(at += 1s, done += 10);
  CHECK(speed.per_second() == Approx(10));
  speed.note(at += 1s, 0);  // another count
  CHECK(speed.per_second() == 0);
}

TEST_CASE("Numbers and times are written for people") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(-1234567) == "-1,234,567");
  CHECK(grouped(-123) == "-123");
  CHECK(clock_text(0s) == "0:00");
  CHECK(clock_text(44s) == "0:44");
  CHECK(clock_text(125min) == "2:05:00");
  CHECK(clock_text(76h + 5min) == "3d 04:05");
}
