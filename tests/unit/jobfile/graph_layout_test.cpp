// Goal: boxes never overlap, arrows go from left to right and never through their own boxes' layers backwards. Method:
// random graphs.
#include <catch2/catch.hpp>
#include <random>

#include "jobfile/graph_layout.hpp"
#include "support/seed.hpp"

using namespace godwit::jobfile;

TEST_CASE("boxes do not overlap and arrows go forward") {
  std::mt19937_64 random(godwit::support::seed());
  for (int round = 0; round < 200; ++round) {
    std::vector<GraphLayout::Box> boxes(1 + random() % 30);
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      boxes[i] = {.width = 40.0 + static_cast<double>(random() % 100),
                  .height = 20.0 + static_cast<double>(random() % 60)};
      for (std::size_t need = 0; need < i; ++need)
        if (random() % 6 == 0) boxes[i].needs.push_back(need);
    }
    const auto layout = lay_out(boxes);
    REQUIRE(layout.boxes.size() == boxes.size());
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      const auto& a = layout.boxes[i];
      CHECK(a.x >= 0);
      CHECK(a.y >= -0.001);
      CHECK(a.x + a.width <= layout.width + 0.001);
      CHECK(a.y + a.height <= layout.height + 0.001);
      CHECK(a.width >= boxes[i].width);
      for (const std::size_t need : boxes[i].needs) CHECK(layout.boxes[need].x + layout.boxes[need].width < a.x);
      for (std::size_t j = 0; j < i; ++j) {
        const auto& b = layout.boxes[j];
        CHECK((a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y));
      }
    }
    for (const auto& arrow : layout.arrows)
      for (std::size_t i = 1; i < arrow.points.size(); ++i) CHECK(arrow.points[i - 1].x < arrow.points[i].x + 0.001);
  }
}
