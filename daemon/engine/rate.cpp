#include "engine/rate.hpp"

#include <algorithm>
#include <cmath>

namespace godwit::engine {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kSlack = 1e-6;    // of a token, for what floating point loses
constexpr double kCut = 0.95;      // of the ceiling right after a refusal, while the other side's own burst gathers
constexpr double kMargin = 0.99;   // of the ceiling afterwards
constexpr double kTooHigh = 0.97;  // of a rate that was refused though it was below the ceiling
constexpr double kReturn = 0.05;   // of the ceiling per second, from the one to the other
constexpr double kDoubt = 6;       // calls that are taken for accepted beside those of an episode, which may be few
constexpr double kFirstGrowth = 0.01, kMostGrowth = 0.3;  // per second
constexpr double kSurely = 1.5;         // times the burst that was borne before: more means that the ceiling has moved
constexpr double kBurstGuess = 0.1;     // seconds' worth, while none was seen
constexpr double kSlowest = 1e-4;       // of the configured rate
constexpr double kLearnedBurst = 0.01;  // seconds' worth
constexpr double kCreditOfCall = 0.0033, kMostCredit = 1, kMostDebt = 12;
constexpr double kBigChange = 0.85;  // of the ceiling before
constexpr double kCallsLately = 10;  // that make a rate
constexpr auto kInARow = std::chrono::seconds(1);
constexpr auto kLongestHold = std::chrono::minutes(5);
constexpr auto kBucket = std::chrono::milliseconds(100);
constexpr auto kStep = std::chrono::milliseconds(100);

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
  return learned() || refilled_ < quota_until_ ? std::clamp(current_ * kLearnedBurst, 1.0, burst_) : burst_;
}

void Rate::refill(base::Tick now) {
  recover(now);
  const double rate = refilled_ < quota_until_ ? std::min(current_, quota_rate_) : current_;
  tokens_ = std::min(std::max(burst(), tokens_), tokens_ + rate * between(refilled_, now));
  refilled_ = std::max(refilled_, now);
}

void Rate::recover(base::Tick now) {
  if (!learned()) {
    recovered_ = now;
    return;
  }
  // In steps, so that it does not matter how often one looks.
  const double step = Seconds(kStep).count();
  while (learned() && recovered_ + kStep <= now) {
    recovered_ += kStep;
    if (episode_.open || recovered_ < paused_until_) continue;
    if (current_ < kMargin * ceiling_) {
      current_ = std::min(kMargin * ceiling_, current_ + kReturn * ceiling_ * step);
    } else if (credit_ >= 0 || recovered_ > backed_off_at_ + kLongestHold) {
      const double burst = burst_seen_ > 0 ? burst_seen_ : kBurstGuess * ceiling_;
      if (excess_ > kSurely * burst + 2) growth_ = std::min(kMostGrowth, growth_ * std::pow(2.0, step));
      current_ *= 1 + growth_ * step;
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
  if (learned() && current_ > ceiling_) excess_ += count * (1 - ceiling_ / current_);
  const auto bucket = bucket_of(now);
  if (bucket - bucket_ >= static_cast<std::int64_t>(kBuckets))
    sent_.fill(0);
  else
    while (bucket_ < bucket) sent_[static_cast<std::size_t>(++bucket_) % kBuckets] = 0;
  bucket_ = bucket;
  sent_[static_cast<std::size_t>(bucket_) % kBuckets] += count;
}

base::Tick Rate::ready_at(int count, base::Tick now) {
  refill(now);
  const double lacking = std::max(0.0, std::min<double>(count, burst()) - tokens_);
  // A rate that rises meanwhile is looked at again.
  const double seconds = std::clamp(lacking / std::max(per_second(now), 1e-9), 1e-6, 1.0);
  return std::max(paused_until_, now + std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(seconds)) +
                                     std::chrono::nanoseconds(1));
}

bool Rate::idle(base::Tick now) {
  refill(now);
  return !learned() && now >= paused_until_ && now >= quota_until_ && tokens_ + kSlack >= burst();
}

// Tokens per second that were taken in the whole tenths of a second before that instant, as few of them as make a rate.
double Rate::sent_lately(base::Tick before) const {
  double sum = 0;
  int count = 0;
  for (auto bucket = bucket_of(before) - 1; bucket > bucket_ - static_cast<std::int64_t>(kBuckets); --bucket) {
    if (bucket * kBucket < counted_from_.time_since_epoch()) break;
    sum += sent_[static_cast<std::size_t>(bucket) % kBuckets];
    if (++count >= 3 && sum >= kCallsLately) break;
  }
  if (count < 3) return current_;
  // A few calls say nothing of a bunch that follows them: then those sent with the refused one are what was sent.
  const double bunch = sent_[static_cast<std::size_t>(bucket_of(before)) % kBuckets];
  if (sum < kCallsLately && bunch > sum) return bunch / Seconds(kBucket).count();
  return sum / (count * Seconds(kBucket).count());
}

void Rate::begin_episode(Taken taken, base::Tick now) {
  in_a_row_ = backed_off_ && taken.at - backed_off_at_ < kInARow ? in_a_row_ + 1 : 0;
  double guess = std::min(sent_lately(taken.at), current_ * 1.1);
  if (in_a_row_ == 0) {
    before_ = ceiling_;
    if (excess_ > 0) burst_seen_ = burst_seen_ > 0 ? (burst_seen_ + excess_) / 2 : excess_;
    // What it felt its way up from was allowed: the truth is between the two.
    if (learned() && growth_ <= kFirstGrowth && guess > kMargin * ceiling_) guess = (guess + kMargin * ceiling_) / 2;
  }
  // It was not even at the ceiling, so that was too high.
  if (backed_off_ && current_ <= kMargin * ceiling_ + kSlack) guess *= kTooHigh;
  episode_ = {taken.at, now, taken.at, guess, 0, 0, true};
  excess_ = 0;
  growth_ = kFirstGrowth;
  recovered_ = backed_off_at_ = now;
  backed_off_ = true;
}

// An answer to a call of the episode. Calls that were sent in a bunch make the share of those accepted too small,
// answers that come in another order make their number too small: the greater of both estimates is the better one.
void Rate::learn(bool accepted, Taken taken) {
  (accepted ? episode_.accepted : episode_.refused) += taken.count;
  episode_.seen = std::max(episode_.seen, taken.at);
  const double doubt = kDoubt * taken.count;
  const double by_share = episode_.guess * (episode_.accepted + doubt) / (episode_.accepted + episode_.refused + doubt);
  const double by_time = (episode_.accepted + doubt) / (between(episode_.from, episode_.seen) + doubt / episode_.guess);
  ceiling_ = std::max(kSlowest * limit_, std::min(episode_.guess, std::max(by_share, by_time)));
  current_ = std::min(limit_, kCut * ceiling_);
}

// A limit that was changed on the other side is no debt of ours.
void Rate::end_episode() {
  episode_.open = false;
  if (ceiling_ < kBigChange * before_ || before_ == 0) credit_ = std::max(credit_, -1.0);
}

void Rate::on_success(Taken taken, base::Tick now) {
  credit_ = std::min(kMostCredit, credit_ + kCreditOfCall);
  slowest_ = std::max<base::Duration>(std::chrono::duration_cast<base::Duration>(now - taken.at), slowest_ * 99 / 100);
  if (!episode_.open) return;
  refill(now);
  if (taken.at >= episode_.from && taken.at < episode_.to) learn(true, taken);
  if (now > episode_.to + slowest_) end_episode();
}

void Rate::on_refused(Taken taken, base::Tick now, std::optional<base::Duration> retry_after) {
  refill(now);
  credit_ = std::max(-kMostDebt, credit_ - 1);
  if (backed_off_ && taken.at < backed_off_at_) {
    // Sent before it was known that there is too much.
    if (episode_.open && taken.at >= episode_.from) learn(false, taken);
    return;
  }
  const bool hardly = episode_.accepted < episode_.refused;
  if (episode_.open) end_episode();
  begin_episode(taken, now);
  learn(false, taken);
  tokens_ = std::min(tokens_, 0.0);
  // Refusals at the edge are answered by going slower; who insists is left alone for as long as it asks.
  if (!retry_after || in_a_row_ == 0 || (in_a_row_ == 1 && !hardly)) return;
  paused_until_ = std::max(paused_until_, now + *retry_after);
  counted_from_ = paused_until_;
}

// What it lets through is spread over the time until it counts anew, so that nobody is refused and nothing is left.
void Rate::on_quota(const model::Quota& quota, base::Tick now) {
  refill(now);
  const double seconds = Seconds(quota.reset).count();
  if (seconds <= 0) {
    quota_until_ = now;
    return;
  }
  quota_until_ = now + quota.reset;
  quota_rate_ = std::max(0.0, quota.remaining) / seconds;
  if (quota.remaining < 1) paused_until_ = std::max(paused_until_, quota_until_);
  if (quota_rate_ < current_) tokens_ = std::min(tokens_, burst());
}

}  // namespace godwit::engine
