#include "host_pool/nested_call.hpp"

#include "base/json_text.hpp"

namespace godwit::host_pool {

using wire::HostStatus;

void NestedCall::log(engine::LogLevel level, std::string text, std::string fields, std::string_view stream) {
  if (caller_) caller_->listener->log(level, std::move(text), std::move(fields), stream);
}

// Checkpoints belong to the step; those of nested calls lie beside the caller's own under the name that the caller gave
// the call.
void NestedCall::checkpoint_put(std::string key, std::string value, std::function<void(bool)> stored) {
  if (caller_) caller_->listener->checkpoint_put(suffix_ + "/" + key, std::move(value), std::move(stored));
}

void NestedCall::checkpoint_get(std::string key, std::function<void(std::optional<std::string>)> value) {
  if (caller_) caller_->listener->checkpoint_get(suffix_ + "/" + key, std::move(value));
}

void NestedCall::artifact(engine::Artifact artifact, std::function<void(bool)> recorded) {
  if (caller_) caller_->listener->artifact(std::move(artifact), std::move(recorded));
}

void NestedCall::cost(std::string limit, std::int64_t tokens) {
  if (caller_) caller_->listener->cost(std::move(limit), tokens);
}
void NestedCall::quota(std::string limit, model::Quota quota) {
  if (caller_) caller_->listener->quota(std::move(limit), quota);
}

void NestedCall::finished(engine::StepOutcome outcome) {
  if (!caller_) return;
  caller_->nested = nullptr;
  Host& host = *caller_->host;
  if (auto* success = std::get_if<engine::StepSucceeded>(&outcome)) {
    answer(*success);
  } else if (const auto* failed = std::get_if<engine::StepFailed>(&outcome)) {
    answer_failure(host, caller_number_, question_, failed->failure);
  } else if (const auto* lost = std::get_if<engine::StepLost>(&outcome)) {
    answer_failure(host, caller_number_, question_, lost->failure);
  } else {
    host.reply(caller_number_, question_, HostStatus::cancelled, {});
  }
}

void NestedCall::answer(engine::StepSucceeded& success) {
  std::size_t size = 0;
  for (const auto& row : success.emitted) size += wire::emitted_size(row.topic, row.row);
  if (caller_->emitted_size + size > wire::kPayloadSizeMax)
    return answer_failure(*caller_->host, caller_number_, question_,
                          {"too_big", "the rows of this call are too many together with its own", false, {}});
  caller_->emitted_size += size;
  for (auto& row : success.emitted) caller_->emitted.push_back(std::move(row));
  caller_->host->reply(caller_number_, question_, HostStatus::ok, success.output);
}

void NestedCall::answer_failure(Host& host, std::uint64_t call, std::uint32_t question, const model::Failure& failure) {
  base::json::value after;
  if (failure.retry_after) after = std::chrono::duration_cast<std::chrono::milliseconds>(*failure.retry_after).count();
  const std::string text = base::serialize(
      base::json::object{{"code", failure.code}, {"message", failure.message}, {"retry_after_ms", after}});
  host.reply(call, question, failure.retryable ? HostStatus::retry : HostStatus::failed, text);
}

}  // namespace godwit::host_pool
