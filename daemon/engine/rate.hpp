#pragma once
#include <array>
#include <optional>

#include "base/time.hpp"
#include "model/limit.hpp"

namespace godwit::engine {

// Tokens that flow in at a rate, and what refusals teach about the rate the other side really allows. The configured
// rate is never exceeded. A refusal takes the rate to just below what went through lately, further ones in a row lower;
// it stays there for a while and then feels its way up, ever faster, until the next refusal.
class Rate {
 public:
  Rate(const model::LimitSpec& spec, base::Tick now);
  // New numbers from a person: what was learned is kept as far as it fits.
  void set(const model::LimitSpec& spec, base::Tick now);

  bool can_take(int count, base::Tick now);
  void take(int count, base::Tick now);
  // When can_take() may become true by itself.
  base::Tick ready_at(int count, base::Tick now);
  // The true cost was another than what was taken.
  void settle(int taken, int cost) { tokens_ -= cost - taken; }

  void on_success(base::Tick now);
  // `taken_at` is when the refused call took its tokens: what was under way at the last refusal teaches nothing new.
  void on_refused(base::Tick taken_at, base::Tick now, std::optional<base::Duration> retry_after);

  double per_second() const { return current_; }
  bool learned() const { return current_ < limit_; }
  base::Tick paused_until() const { return paused_until_; }

 private:
  static constexpr std::size_t kBuckets = 10;

  void refill(base::Tick now);
  void recover(base::Tick now);
  double burst() const;
  double went_through(base::Tick now);
  void turn_buckets(base::Tick now);

  double limit_, burst_;
  double current_;  // tokens per second now
  double tokens_;
  base::Tick refilled_;
  base::Tick recovered_;
  base::Tick paused_until_{};
  base::Tick backed_off_at_{};
  base::Tick hold_until_{};
  bool backed_off_ = false;
  double ceiling_ = 0;  // what went through when it was last refused
  double growth_ = 0;
  int in_a_row_ = 0;
  std::array<int, kBuckets> successes_{};  // of the last tenths of a second
  std::int64_t bucket_ = 0;
  base::Tick counted_from_;
};

}  // namespace godwit::engine
