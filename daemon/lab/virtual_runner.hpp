#pragma once
#include <map>
#include <memory>

#include "engine/clock.hpp"
#include "engine/step_runner.hpp"

namespace godwit::lab {

// Runs steps without processes: a call's outcome is a function of the call and comes when the clock says so.
class VirtualRunner : public engine::StepRunner {
 public:
  explicit VirtualRunner(engine::Clock& clock) : clock_(clock) {}

  std::uint64_t start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                      engine::StepListener& listener) override;
  void cancel(std::uint64_t number) override;
  void cut(std::function<void()> done) override;

  std::size_t in_flight() const { return running_.size(); }

 protected:
  // What a call does: how long it takes (nothing: until it is cancelled), and its outcome, asked for when that time is
  // over. `listener` may be told things from inside outcome().
  virtual std::optional<base::Duration> takes(const engine::Callable& callable, const engine::StepCall& call) = 0;
  virtual engine::StepOutcome outcome(const engine::Callable& callable, const engine::StepCall& call,
                                      engine::StepListener& listener) = 0;

 private:
  struct Running {
    std::shared_ptr<const engine::Callable> callable;
    engine::StepCall call;
    engine::StepListener* listener;
  };
  void finish(std::uint64_t number);
  void time_out(std::uint64_t number);

  engine::Clock& clock_;
  std::map<std::uint64_t, Running> running_;
  std::uint64_t last_ = 0;
};

}  // namespace godwit::lab
