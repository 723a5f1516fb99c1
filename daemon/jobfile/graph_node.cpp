#include "jobfile/graph_node.hpp"

#include <algorithm>

namespace godwit::jobfile {
namespace {

// Names of stages in a foreach are shown up to this length in all.
constexpr std::size_t kNamesShown = 60;

GraphNode::Kind kind_of(model::StageKind kind) {
  switch (kind) {
    case model::StageKind::call:
      return GraphNode::Kind::call;
    case model::StageKind::statement:
      return GraphNode::Kind::rows;
    case model::StageKind::child:
      return GraphNode::Kind::run;
    case model::StageKind::lock:
    case model::StageKind::sleep:
    case model::StageKind::signal:
    case model::StageKind::approval:
      return GraphNode::Kind::wait;
  }
  return GraphNode::Kind::call;
}

// What is waited for, where the file says it without an expression; of a list of stages their names.
std::string does_of(const model::Stage& stage) {
  if (!stage.stages.empty()) {
    std::string names;
    for (const auto& inner : stage.stages) names += (names.empty() ? "" : ", ") + inner.name;
    return names.size() <= kNamesShown ? "stages " + names : model::work_text(stage);
  }
  const std::string work = model::work_text(stage);
  const auto* what = stage.wait.what.value.if_string();
  const bool plain = what && stage.wait.what.expressions.empty() && stage.kind != model::StageKind::approval;
  return plain ? work + " " + std::string(*what) : work;
}

std::vector<std::string> notes_of(const model::Stage& stage) {
  std::vector<std::string> notes;
  if (stage.foreach) notes.push_back("foreach, " + std::to_string(stage.parallel) + " at once");
  if (stage.when) notes.emplace_back("when");
  if (stage.timeout) notes.push_back("within " + base::format_duration(*stage.timeout));
  std::string limits;
  for (const auto& [limit, use] : stage.limits)
    limits += (limits.empty() ? "limit " : ", ") + limit + ":" + (use.amount ? "by need" : std::to_string(use.count));
  if (!limits.empty()) notes.push_back(limits);
  if (stage.retry.attempts > 1) notes.push_back("up to " + std::to_string(stage.retry.attempts) + " attempts");
  return notes;
}

// Adds `stages`, which need each other by name. Those that need none of them come after `before`.
void add_nodes(std::vector<GraphNode>& nodes, const std::vector<model::Stage>& stages, const std::string& note,
               const std::vector<std::size_t>& before) {
  const std::size_t base = nodes.size();
  for (const auto& stage : stages) {
    GraphNode node{.name = stage.name,
                   .kind = kind_of(stage.kind),
                   .does = does_of(stage),
                   .notes = notes_of(stage),
                   .many = stage.foreach.has_value(),
                   .conditional = stage.when || !note.empty(),
                   .needs = {}};
    if (!note.empty()) node.notes.insert(node.notes.begin(), note);
    for (const auto& need : stage.needs) {
      const auto found =
          std::find_if(stages.begin(), stages.end(), [&](const auto& other) { return other.name == need; });
      if (found != stages.end()) node.needs.push_back(base + static_cast<std::size_t>(found - stages.begin()));
    }
    if (node.needs.empty()) node.needs = before;
    nodes.push_back(std::move(node));
  }
}

// Those that no other one needs.
std::vector<std::size_t> last_of(const std::vector<GraphNode>& nodes) {
  std::vector<std::size_t> last;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (std::none_of(nodes.begin(), nodes.end(), [&](const auto& node) {
          return std::find(node.needs.begin(), node.needs.end(), i) != node.needs.end();
        }))
      last.push_back(i);
  return last;
}

}  // namespace

std::vector<GraphNode> graph_nodes(const model::Job& job) {
  std::vector<GraphNode> nodes;
  add_nodes(nodes, job.stages, {}, {});
  const auto last = last_of(nodes);
  for (std::size_t i = 0; i < model::kEndings.size(); ++i)
    add_nodes(nodes, job.endings[i], std::string(model::kEndings[i]), last);
  return nodes;
}

}  // namespace godwit::jobfile
