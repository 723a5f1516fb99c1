#pragma once
#include "host_pool/call.hpp"
#include "host_pool/host.hpp"

namespace godwit::host_pool {

// Listens to a call that a plugin makes of another plugin: what it says goes to the listener of the calling call, its
// end becomes the answer to the question of the calling plugin. The pool cancels it when the caller has ended, after
// which it is told nothing of the caller any more.
class NestedCall : public engine::StepListener {
 public:
  NestedCall(Call& caller, std::uint32_t question, std::string suffix)
      : caller_(&caller), caller_number_(caller.number), question_(question), suffix_(std::move(suffix)) {}

  void caller_ended() { caller_ = nullptr; }

  void started() override {}
  // The caller's own progress is what people look at.
  void progress(std::uint64_t, std::uint64_t, std::string) override {}
  void log(engine::LogLevel level, std::string text, std::string fields, std::string_view stream) override;
  void checkpoint_put(std::string key, std::string value, std::function<void(bool)> stored) override;
  void checkpoint_get(std::string key, std::function<void(std::optional<std::string>)> value) override;
  void artifact(engine::Artifact artifact, std::function<void(bool)> recorded) override;
  void cost(std::string limit, std::int64_t tokens) override;
  void quota(std::string limit, model::Quota quota) override;
  void finished(engine::StepOutcome outcome) override;

  // The answer to an invoke() that failed.
  static void answer_failure(Host& host, std::uint64_t call, std::uint32_t question, const model::Failure& failure);

 private:
  void answer(engine::StepSucceeded& success);

  Call* caller_;
  std::uint64_t caller_number_;
  std::uint32_t question_;
  std::string suffix_;
};

}  // namespace godwit::host_pool
