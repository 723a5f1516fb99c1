#pragma once
#include <cstddef>
#include <vector>

namespace godwit::jobfile {

// Where the boxes and arrows of a drawing go, for a graph without circles. Layers from left to right; within a layer
// the order that makes arrows cross least often (by barycentres, as Sugiyama's method does). The same graph has the
// same drawing always.
struct GraphLayout {
  struct Box {
    double width = 0, height = 0;    // given
    std::vector<std::size_t> needs;  // given: boxes that stand before it
    double x = 0, y = 0;             // found: the upper left corner
  };
  struct Point {
    double x = 0, y = 0;
  };
  // From the right side of a box to the left side of another, by way of free places.
  struct Arrow {
    std::size_t from = 0, to = 0;
    std::vector<Point> points;
  };
  std::vector<Box> boxes;
  std::vector<Arrow> arrows;  // without those that others imply
  double width = 0, height = 0;
};

GraphLayout lay_out(std::vector<GraphLayout::Box> boxes);

}  // namespace godwit::jobfile
