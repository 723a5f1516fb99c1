#include "jobfile/graph.hpp"

#include <algorithm>
#include <map>

namespace godwit::jobfile {
namespace {

// How many stages must end one after the other before each can start.
std::map<std::string, int> waves(const model::Job& job) {
  std::map<std::string, int> result;
  // Needs may stand in any order; each pass settles at least one more wave.
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& stage : job.stages) {
      int wave = 1;
      for (const auto& need : stage.needs) wave = std::max(wave, result[need] + 1);
      changed = changed || result[stage.name] != wave;
      result[stage.name] = wave;
    }
  }
  return result;
}

std::string notes(const model::Stage& stage) {
  std::string text;
  const auto add = [&](const std::string& note) { text += (text.empty() ? "" : ", ") + note; };
  if (stage.foreach) add("foreach, " + std::to_string(stage.parallel) + " at once");
  if (stage.when) add("when");
  for (const auto& [limit, permits] : stage.limits) add("limit " + limit + ":" + std::to_string(permits));
  if (stage.retry.attempts > 1) add("up to " + std::to_string(stage.retry.attempts) + " attempts");
  return text;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

}  // namespace

std::string graph_text(const model::Job& job) {
  auto wave = waves(job);
  std::vector<const model::Stage*> stages;
  std::size_t name_width = 0;
  std::size_t uses_width = 0;
  for (const auto& stage : job.stages) {
    stages.push_back(&stage);
    name_width = std::max(name_width, stage.name.size());
    uses_width = std::max(uses_width, model::work_text(stage).size());
  }
  std::stable_sort(stages.begin(), stages.end(),
                   [&](const auto* a, const auto* b) { return wave[a->name] < wave[b->name]; });
  std::string text = job.name + "\n";
  for (const auto* stage : stages) {
    std::string line = std::string(static_cast<std::size_t>(2 * wave[stage->name]), ' ') + stage->name;
    line.resize(std::max(line.size(), name_width + 2 * static_cast<std::size_t>(wave[stages.back()->name])), ' ');
    const std::string work = model::work_text(*stage);
    line += "  " + work + std::string(uses_width - work.size(), ' ');
    std::string needs;
    for (const auto& need : stage->needs) needs += (needs.empty() ? "after " : ", ") + need;
    const std::string more = notes(*stage);
    for (const auto& part : {needs, more})
      if (!part.empty()) line += "  (" + part + ")";
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string graph_dot(const model::Job& job) {
  std::string text = "digraph " + quoted(job.name) + " {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& stage : job.stages) {
    text += "  " + quoted(stage.name) + " [label=" + quoted(stage.name + "\n" + model::work_text(stage)) +
            (stage.foreach ? ", peripheries=2" : "") + "];\n";
    for (const auto& need : stage.needs) text += "  " + quoted(need) + " -> " + quoted(stage.name) + ";\n";
  }
  return text + "}\n";
}

}  // namespace godwit::jobfile
