#include "lab/local_scripts.hpp"

namespace godwit::lab {
namespace {

model::script::Output failed(const base::Error& error) {
  model::script::Output output;
  output.end.emplace();
  output.end->kind = model::script::End::Kind::failed;
  output.end->failure = {"script", error.what(), false, {}};
  return output;
}

}  // namespace

std::uint64_t LocalScripts::start(engine::ScriptStart start, engine::ScriptListener& listener) {
  const std::uint64_t number = ++last_;
  machines_[number].listener = &listener;
  clock_.post([this, number, start = std::move(start)]() mutable {
    const auto found = machines_.find(number);
    if (found == machines_.end()) return;
    try {
      begin(found->second, std::move(start));
    } catch (const base::Error& error) {
      return deliver(number, failed(error));
    }
    deliver(number, found->second.execution->take_output());
  });
  return number;
}

void LocalScripts::begin(Machine& machine, engine::ScriptStart start) {
  const auto bundle = model::ScriptBundle::parse(*start.bundle);
  if (!bundle) throw base::refused("the job's text is no script");
  machine.execution = std::make_unique<script::Execution>(*bundle, start.budget);
  for (auto& step : start.recorded) machine.execution->recorded(std::move(step));
  machine.execution->start(std::move(start.facts));
}

void LocalScripts::answer(std::uint64_t number, std::uint64_t request, model::script::Outcome outcome) {
  clock_.post([this, number, request, outcome = std::move(outcome)]() mutable {
    const auto found = machines_.find(number);
    if (found == machines_.end() || !found->second.execution) return;
    found->second.execution->answer(request, std::move(outcome));
    deliver(number, found->second.execution->take_output());
  });
}

void LocalScripts::deliver(std::uint64_t number, model::script::Output output) {
  const auto found = machines_.find(number);
  engine::ScriptListener* listener = found->second.listener;
  if (output.end) machines_.erase(found);
  listener->output(std::move(output));
}

base::json::object LocalScriptReader::read(const model::ScriptBundle& bundle) {
  return script::Execution(bundle, model::script::Budget{}).header();
}

}  // namespace godwit::lab
