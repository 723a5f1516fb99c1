#include "lab/virtual_runner.hpp"

namespace godwit::lab {

std::uint64_t VirtualRunner::start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                                   engine::StepListener& listener) {
  const std::uint64_t number = ++last_;
  const auto& running = running_[number] = {std::move(callable), std::move(call), &listener};
  const auto duration = takes(*running.callable, running.call);
  clock_.post([this, number] {
    if (const auto found = running_.find(number); found != running_.end()) found->second.listener->started();
  });
  const base::Duration deadline = running.call.timeout;
  if (deadline.count() > 0 && (!duration || *duration > deadline)) {
    clock_.at(clock_.tick() + deadline, [this, number] { time_out(number); });
  } else if (duration) {
    clock_.at(clock_.tick() + *duration, [this, number] { finish(number); });
  }
  return number;
}

void VirtualRunner::cancel(std::uint64_t number) {
  clock_.post([this, number] {
    if (auto call = running_.extract(number)) call.mapped().listener->finished(engine::StepCancelled{});
  });
}

void VirtualRunner::cut(std::function<void()> done) {
  for (auto& [number, call] : std::exchange(running_, {}))
    call.listener->finished(engine::StepLost{{"crashed", "it was cut off", call.callable->retry_safe, {}}, 1000});
  clock_.post(std::move(done));
}

void VirtualRunner::time_out(std::uint64_t number) {
  auto call = running_.extract(number);
  if (!call) return;
  const Running& ended = call.mapped();
  ended.listener->finished(
      engine::StepFailed{{"timeout",
                          ended.callable->name + " did not end within " + base::format_duration(ended.call.timeout),
                          ended.call.may_repeat,
                          {}}});
}

void VirtualRunner::finish(std::uint64_t number) {
  auto call = running_.extract(number);
  if (!call) return;
  const Running& ended = call.mapped();
  ended.listener->finished(outcome(*ended.callable, ended.call, *ended.listener));
}

}  // namespace godwit::lab
