#include "lab/real_calls.hpp"

namespace godwit::lab {

using engine::StepListener;

// Keeps the outcome until it is this call's turn; lets everything else through.
class RealCalls::Call : public StepListener {
 public:
  explicit Call(StepListener& listener) : listener_(&listener) {}

  void forget() { listener_ = nullptr; }
  bool ended() const { return outcome_.has_value(); }
  void deliver() {
    if (listener_) listener_->finished(std::move(*outcome_));
  }

  void started() override {
    if (listener_) listener_->started();
  }
  void progress(std::uint64_t done, std::uint64_t total, std::string fields) override {
    if (listener_) listener_->progress(done, total, std::move(fields));
  }
  void log(engine::LogLevel level, std::string text, std::string fields, std::string_view stream) override {
    if (listener_) listener_->log(level, std::move(text), std::move(fields), stream);
  }
  void checkpoint_put(std::string key, std::string value, std::function<void(bool)> stored) override {
    if (listener_) listener_->checkpoint_put(std::move(key), std::move(value), std::move(stored));
  }
  void checkpoint_get(std::string key, std::function<void(std::optional<std::string>)> value) override {
    if (listener_) listener_->checkpoint_get(std::move(key), std::move(value));
  }
  void artifact(engine::Artifact artifact, std::function<void(bool)> recorded) override {
    if (listener_) listener_->artifact(std::move(artifact), std::move(recorded));
  }
  void finished(engine::StepOutcome outcome) override { outcome_ = std::move(outcome); }

 private:
  StepListener* listener_;
  std::optional<engine::StepOutcome> outcome_;
};

RealCalls::RealCalls(const host_pool::PluginCatalog& catalog, host_pool::HostSettings settings)
    : pool_(context_, catalog, std::move(settings)) {}

RealCalls::~RealCalls() = default;

std::uint64_t RealCalls::start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                               StepListener& listener) {
  auto own = std::make_unique<Call>(listener);
  Call& listening = *own;
  const std::uint64_t number = pool_.start(std::move(callable), std::move(call), listening);
  calls_.emplace(number, std::move(own));
  return number;
}

void RealCalls::cancel(std::uint64_t number) {
  pool_.cancel(number);
}

void RealCalls::forget() {
  for (auto& [number, call] : calls_) {
    call->forget();
    pool_.cancel(number);
  }
  forgotten_.merge(calls_);
}

void RealCalls::wait() {
  context_.restart();
  context_.run_one();
  std::erase_if(forgotten_, [](const auto& entry) { return entry.second->ended(); });
  while (!calls_.empty() && calls_.begin()->second->ended()) {
    const auto first = calls_.extract(calls_.begin());
    first.mapped()->deliver();
  }
}

}  // namespace godwit::lab
