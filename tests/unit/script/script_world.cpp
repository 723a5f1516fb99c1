#include "script_world.hpp"

namespace godwit::test {

std::string ScriptWorld::describe() const {
  if (!end_) return "not ended";
  switch (end_->kind) {
    case script::End::Kind::succeeded:
      return "succeeded";
    case script::End::Kind::failed:
      return "failed " + end_->failure.code + ": " + end_->failure.message;
    case script::End::Kind::mismatch:
      return "mismatch " + json::serialize(end_->recorded) + " " + json::serialize(end_->requested);
  }
  return {};
}

void ScriptWorld::record(script::RecordedStep step) {
  step.at = base::from_microseconds(++clock_);
  journal.push_back(std::move(step));
}

void ScriptWorld::take(script::Output output) {
  for (auto& line : output.logs) logs.push_back(std::move(line));
  for (auto& note : output.notes) {
    if (note.folds) {
      std::erase_if(journal, [&](const script::RecordedStep& step) {
        for (std::size_t i = note.from; i <= note.to; ++i) {
          const std::string item = note.loop + "[" + std::to_string(i) + "]";
          if (step.path == item || step.path.starts_with(item + "/")) return true;
        }
        return note.replaces && step.path.starts_with(note.loop + "[") && step.path.find("..") != std::string::npos;
      });
    }
    for (const auto& row : note.rows) ++emitted[row.topic + " " + row.row];
    record({note.path, model::StepState::succeeded, note.hash, note.output, {}, {}, note.line});
  }
  for (const std::uint64_t number : output.cancelled)
    std::erase_if(open_, [&](const auto& request) { return request.number == number; });
  for (auto& request : output.requests) open_.push_back(std::move(request));
  requests_max = std::max(requests_max, open_.size());
  if (output.end) end_ = std::move(output.end);
}

bool ScriptWorld::go(std::size_t cut) {
  ++lives;
  open_.clear();
  end_.reset();
  script::Execution execution(bundle, budget);
  for (const auto& step : journal) execution.recorded(step);
  script::RunFacts facts{7, "job", "v1", params, "seed", base::from_microseconds(1'600'000'000'000'000)};
  execution.start(facts);
  take(execution.take_output());
  while (!end_) {
    std::vector<std::size_t> ready;
    for (std::size_t i = 0; i < open_.size(); ++i)
      if (!hold(open_[i])) ready.push_back(i);
    if (ready.empty()) return true;
    if (cut-- == 0) return false;
    const std::size_t at = shuffle ? ready[(*shuffle)() % ready.size()] : ready[0];
    script::Request request = std::move(open_[at]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
    ++calls[request.path + " " + request.uses + " " + request.input];
    script::RecordedStep step{request.path, model::StepState::succeeded, request.hash, {}, {}, {},
                              request.file + ":" + std::to_string(request.line)};
    try {
      step.output = provider(request);
    } catch (const model::Failure& failure) {
      step.state = model::StepState::failed;
      step.failure = failure;
    }
    record(step);
    execution.answer(request.number, {step.state, step.output, step.failure, journal.back().at});
    take(execution.take_output());
  }
  return true;
}

}  // namespace godwit::test
