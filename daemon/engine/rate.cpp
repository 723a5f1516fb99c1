#include "engine/rate.hpp"

#include <algorithm>
#include <cmath>

namespace godwit::engine {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kSlack = 1e-6;  // of a token, for what floating point loses
constexpr double kMargin = 0.985;
constexpr double kCuts[] = {0.97, 0.9, 0.5};  // of what went through, by refusals in a row
constexpr double kReturn = 0.05;              // of the ceiling per second, back up to the margin
constexpr double kFirstGrowth = 0.005, kMostGrowth = 0.25;
constexpr double kSlowest = 0.01;       // of the configured rate
constexpr double kLearnedBurst = 0.02;  // seconds' worth
constexpr double kLeastCounted = 0.3;   // seconds
constexpr auto kInARow = std::chrono::seconds(1);
constexpr auto kHold = std::chrono::seconds(18);
constexpr auto kBucket = std::chrono::milliseconds(100);

std::int64_t bucket_of(base::Tick now) {
  return now.time_since_epoch() / kBucket;
}
double between(base::Tick from, base::Tick to) {
  return std::max(0.0, Seconds(to - from).count());
}

}  // namespace

Rate::Rate(const model::LimitSpec& spec, base::Tick now)
    : limit_(spec.rate),
      burst_(spec.permits),
      current_(spec.rate),
      tokens_(spec.permits),
      refilled_(now),
      recovered_(now),
      bucket_(bucket_of(now)),
      counted_from_(now) {}

void Rate::set(const model::LimitSpec& spec, base::Tick now) {
  refill(now);
  const bool was_learned = learned();
  limit_ = spec.rate;
  burst_ = spec.permits;
  current_ = was_learned ? std::min(current_, limit_) : limit_;
  tokens_ = std::min(tokens_, burst());
}

// How much at once the other side can bear is not known, once it has refused: little, then.
double Rate::burst() const {
  return learned() ? std::clamp(current_ * kLearnedBurst, 1.0, burst_) : burst_;
}

void Rate::refill(base::Tick now) {
  recover(now);
  tokens_ = std::min(std::max(burst(), tokens_), tokens_ + current_ * between(refilled_, now));
  refilled_ = std::max(refilled_, now);
}

void Rate::recover(base::Tick now) {
  if (!learned()) {
    recovered_ = now;
    return;
  }
  // In steps, so that it does not matter how often one looks.
  constexpr auto kStep = std::chrono::milliseconds(100);
  const double step = Seconds(kStep).count();
  while (learned() && recovered_ + kStep <= now) {
    recovered_ += kStep;
    if (recovered_ < hold_until_) {
      current_ = std::min(std::max(current_, kMargin * ceiling_), current_ + kReturn * ceiling_ * step);
    } else {
      current_ *= 1 + growth_ * step;
      growth_ = std::min(kMostGrowth, growth_ * std::pow(2.0, step));
    }
  }
  current_ = std::min(current_, limit_);
}

bool Rate::can_take(int count, base::Tick now) {
  refill(now);
  // More than ever gathers is had when all is there; the debt is paid afterwards.
  return now >= paused_until_ && tokens_ + kSlack >= std::min<double>(count, burst());
}

void Rate::take(int count, base::Tick now) {
  refill(now);
  tokens_ -= count;
}

base::Tick Rate::ready_at(int count, base::Tick now) {
  refill(now);
  const double lacking = std::max(0.0, std::min<double>(count, burst()) - tokens_);
  // A rate that rises meanwhile is looked at again.
  const double seconds = std::clamp(lacking / current_, 1e-6, 1.0);
  return std::max(paused_until_, now + std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(seconds)) +
                                     std::chrono::nanoseconds(1));
}

void Rate::turn_buckets(base::Tick now) {
  const auto bucket = bucket_of(now);
  if (bucket - bucket_ >= static_cast<std::int64_t>(kBuckets))
    successes_.fill(0);
  else
    while (bucket_ < bucket) successes_[static_cast<std::size_t>(++bucket_) % kBuckets] = 0;
  bucket_ = bucket;
}

void Rate::on_success(base::Tick now) {
  turn_buckets(now);
  ++successes_[static_cast<std::size_t>(bucket_) % kBuckets];
}

// Calls per second that were not refused, over the last second or as much of it as counts; 0 when that is too little.
double Rate::went_through(base::Tick now) {
  turn_buckets(now);
  int sum = 0;
  for (const int count : successes_) sum += count;
  const base::Tick oldest{(bucket_ - static_cast<std::int64_t>(kBuckets) + 1) * kBucket};
  const double time = between(std::max(oldest, counted_from_), now);
  return time < kLeastCounted ? 0 : sum / time;
}

void Rate::on_refused(base::Tick taken_at, base::Tick now, std::optional<base::Duration> retry_after) {
  refill(now);
  if (backed_off_ && taken_at < backed_off_at_) return;
  in_a_row_ = backed_off_ && now - backed_off_at_ < kInARow ? in_a_row_ + 1 : 0;
  const double through = went_through(now);
  ceiling_ = through > 0 ? std::min(current_, through) : current_;
  current_ =
      std::max(kSlowest * limit_,
               ceiling_ * kCuts[std::min<std::size_t>(static_cast<std::size_t>(in_a_row_), std::size(kCuts) - 1)]);
  tokens_ = std::min(tokens_, 0.0);
  growth_ = kFirstGrowth;
  recovered_ = backed_off_at_ = now;
  hold_until_ = now + kHold;
  backed_off_ = true;
  // One refusal at the edge is answered by going slower; who insists is left alone for as long as it asks.
  if (!retry_after || in_a_row_ == 0) return;
  paused_until_ = std::max(paused_until_, now + *retry_after);
  successes_.fill(0);
  counted_from_ = paused_until_;
}

}  // namespace godwit::engine
