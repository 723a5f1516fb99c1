#include "lab/journal_view.hpp"

namespace godwit::lab {
namespace {

json::value parsed(const std::string& text) {
  return text.empty() ? json::value() : base::parse_json(text);
}

json::object step_view(const engine::StepDone& step) {
  json::object view{{"state", model::name(step.state)}, {"output", parsed(step.output)}};
  if (step.failure) view["error"] = failure_view(*step.failure);
  if (step.emitted.empty()) return view;
  json::array rows;
  for (const auto& row : step.emitted) rows.push_back(json::object{{"to", row.topic}, {"row", parsed(row.row)}});
  view["emitted"] = std::move(rows);
  return view;
}

}  // namespace

json::object failure_view(const model::Failure& failure) {
  return {{"code", failure.code}, {"message", failure.message}};
}

json::object journal_view(const Memory::Run& run) {
  json::object steps;
  for (const auto& [path, step] : run.steps) steps[path] = step_view(step);
  json::object view{{"job", run.submitted.job}, {"params", parsed(run.submitted.params)}, {"steps", std::move(steps)}};
  if (!run.done) return view;
  view["state"] = model::name(run.done->state);
  view["result"] = parsed(run.done->result);
  if (run.done->failure) view["error"] = failure_view(*run.done->failure);
  if (!run.done->failed_path.empty()) view["failed_step"] = run.done->failed_path;
  return view;
}

json::array journal_view(const Memory& memory) {
  json::array views;
  for (const auto& [id, run] : memory.runs) views.push_back(journal_view(run));
  return views;
}

}  // namespace godwit::lab
