#include "store/run_numbers.hpp"

#include <algorithm>

#include "store/ask.hpp"
#include "store/recovery.hpp"

namespace godwit::store {
namespace {

constexpr std::size_t kSmallestBlock = 64;
constexpr std::size_t kLargestBlock = 8192;

}  // namespace

void RunNumbers::allocate(std::size_t count, engine::Answer<std::vector<model::RunId>> answer) {
  if (waiting_.empty() && pool_.size() >= count) {
    clock_.post([answer = std::move(answer), numbers = take(count)]() mutable { answer(std::move(numbers)); });
  } else {
    waiting_.push_back({count, std::move(answer)});
  }
  if (!waiting_.empty() || pool_.size() < block_ / 2) refill();
}

std::vector<model::RunId> RunNumbers::take(std::size_t count) {
  const auto end = pool_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<model::RunId> numbers(pool_.begin(), end);
  pool_.erase(pool_.begin(), end);
  return numbers;
}

// Blocks grow while they are used up within a second, and shrink again: what is left of a block when the daemon ends is
// lost.
void RunNumbers::refill() {
  if (std::exchange(refilling_, true)) return;
  const auto now = base::tick();
  block_ = now - last_refill_ < std::chrono::seconds(1) ? std::min(block_ * 2, kLargestBlock)
                                                        : std::max(block_ / 2, kSmallestBlock);
  last_refill_ = now;
  std::size_t count = block_;
  for (const auto& waiting : waiting_) count += waiting.count;
  ask<std::vector<model::RunId>>(
      reader_, [count](Connection& connection) { return take_run_numbers(connection, count); },
      [this, alive = std::weak_ptr(alive_)](engine::Result<std::vector<model::RunId>> numbers) {
        if (!alive.expired()) filled(std::move(numbers));
      });
}

void RunNumbers::filled(engine::Result<std::vector<model::RunId>> numbers) {
  refilling_ = false;
  if (!numbers) {
    for (auto& waiting : std::exchange(waiting_, {})) waiting.answer(numbers.error());
    return;
  }
  pool_.insert(pool_.end(), numbers->begin(), numbers->end());
  serve();
}

void RunNumbers::serve() {
  while (!waiting_.empty() && waiting_.front().count <= pool_.size()) {
    auto waiting = std::move(waiting_.front());
    waiting_.pop_front();
    waiting.answer(take(waiting.count));
  }
  if (!waiting_.empty()) refill();
}

}  // namespace godwit::store
