#include "jobfile/graph_node.hpp"

#include <algorithm>

namespace godwit::jobfile {
namespace {

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

// What is waited for, where the file says it without an expression.
std::string does_of(const model::Stage& stage) {
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

}  // namespace

std::vector<GraphNode> graph_nodes(const model::Job& job) {
  std::vector<GraphNode> nodes;
  for (const auto& stage : job.stages) {
    GraphNode node{.name = stage.name,
                   .kind = kind_of(stage.kind),
                   .does = does_of(stage),
                   .notes = notes_of(stage),
                   .many = stage.foreach.has_value(),
                   .conditional = stage.when.has_value()};
    for (const auto& need : stage.needs) {
      const auto found =
          std::find_if(job.stages.begin(), job.stages.end(), [&](const auto& other) { return other.name == need; });
      node.needs.push_back(static_cast<std::size_t>(found - job.stages.begin()));
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

}  // namespace godwit::jobfile
