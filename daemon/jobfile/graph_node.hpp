#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "model/job.hpp"

namespace godwit::jobfile {

// A stage as it is drawn, whatever the drawing: a terminal's text, Graphviz, SVG.
struct GraphNode {
  enum class Kind { call, wait, run, rows };
  std::string name;
  Kind kind = Kind::call;
  std::string does;                // what it uses or waits for
  std::vector<std::string> notes;  // what a reader should know besides
  bool many = false;               // one step for each item
  bool conditional = false;
  std::vector<std::size_t> needs;
};
inline constexpr std::array<std::string_view, 4> kGraphNodeKinds{"call", "wait", "run", "rows"};
inline std::string_view name(GraphNode::Kind kind) {
  return kGraphNodeKinds[static_cast<std::size_t>(kind)];
}

// In the order of the file, and then those that run at the end, after the last of the others.
std::vector<GraphNode> graph_nodes(const model::Job& job);

}  // namespace godwit::jobfile
