#include "jobfile/graph.hpp"

#include <algorithm>
#include <numeric>

#include "base/suggest.hpp"
#include "jobfile/graph_node.hpp"

namespace godwit::jobfile {
namespace {

// How many stages must end one after the other before each can start.
std::vector<std::size_t> waves(const std::vector<GraphNode>& nodes) {
  std::vector<std::size_t> result(nodes.size(), 1);
  // Needs may stand in any order; each pass settles at least one more wave.
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < nodes.size(); ++i)
      for (const std::size_t need : nodes[i].needs) {
        if (result[i] > result[need]) continue;
        result[i] = result[need] + 1;
        changed = true;
      }
  }
  return result;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

std::string graph_text(const model::Job& job) {
  const auto nodes = graph_nodes(job);
  const auto wave = waves(nodes);
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wave[a] < wave[b]; });
  std::size_t name_width = 0;
  std::size_t does_width = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    name_width = std::max(name_width, 2 * wave[i] + nodes[i].name.size());
    does_width = std::max(does_width, nodes[i].does.size());
  }
  std::string text = job.name + "\n";
  for (const std::size_t i : order) {
    const auto& node = nodes[i];
    std::string line = std::string(2 * wave[i], ' ') + node.name;
    line.resize(name_width, ' ');
    line += "  " + node.does + std::string(does_width - node.does.size(), ' ');
    std::vector<std::string> needs;
    for (const std::size_t need : node.needs) needs.push_back(nodes[need].name);
    if (!needs.empty()) line += "  (after " + joined(needs) + ")";
    if (!node.notes.empty()) line += "  (" + joined(node.notes) + ")";
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string graph_dot(const model::Job& job) {
  const auto nodes = graph_nodes(job);
  std::string text = "digraph " + quoted(job.name) + " {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& node : nodes) {
    text += "  " + quoted(node.name) + " [label=" + quoted(node.name + "\n" + node.does) +
            (node.many ? ", peripheries=2" : "") + (node.conditional ? ", style=dashed" : "") + "];\n";
    for (const std::size_t need : node.needs)
      text += "  " + quoted(nodes[need].name) + " -> " + quoted(node.name) + ";\n";
  }
  return text + "}\n";
}

base::Error no_graph_of_script(const std::string& file) {
  return base::refused("a Lua job has no stages to draw: what it does is known while it runs", {file},
                       "`godwit show RUN` has the steps of a run");
}

std::string draw_graph(const model::Job& job, const std::string& format) {
  if (job.script) throw no_graph_of_script(job.file);
  for (const auto& [name, draw] : kGraphFormats)
    if (name == format) return draw(job);
  std::vector<std::string> names;
  for (const auto& [name, draw] : kGraphFormats) names.emplace_back(name);
  const std::string suggestion = base::suggest(format, names);
  throw base::refused("there is no format '" + format + "'", {}, suggestion.empty() ? "there are " + joined(names) : suggestion);
}

}  // namespace godwit::jobfile
