#pragma once
#include <algorithm>
#include <array>
#include <optional>

#include "base/time.hpp"
#include "model/limit.hpp"
#include "model/quota.hpp"

namespace godwit::engine {

// Tokens that flow in at a rate, and what answers teach about the rate the other side really allows. The configured
// rate is never exceeded.
//
// A refusal begins an episode: the share of the calls sent just then that were refused says how far above the allowed
// rate they were sent, and the rate goes to a bit below that at once, better known with each answer. There it stays
// until the calls that went well outweigh the refusals it took to find out, and then feels its way up: slowly while it
// may meet the old ceiling, ever faster above it. Where the other side says how much is left, the rate keeps to that
// without being refused.
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
  // Whether nothing is remembered that a new one would not begin with.
  bool idle(base::Tick now);

  // A call that was answered: when it took how many tokens.
  struct Taken {
    base::Tick at;
    int count = 1;
  };
  void on_success(Taken taken, base::Tick now);
  void on_refused(Taken taken, base::Tick now, std::optional<base::Duration> retry_after);
  // What the other side said of its own count.
  void on_quota(const model::Quota& quota, base::Tick now);

  // Tokens per second as of now.
  double per_second(base::Tick now) const { return now < quota_until_ ? std::min(current_, quota_rate_) : current_; }
  // Whether refusals, and not the other side's count, keep it below what is configured.
  bool learned() const { return current_ < limit_; }
  // Whether it stays where it is for now, because enough was refused.
  bool holds() const { return learned() && (episode_.open || credit_ < 0); }
  double learned_rate() const { return current_; }
  base::Tick paused_until() const { return paused_until_; }
  base::Tick quota_until() const { return quota_until_; }

 private:
  static constexpr std::size_t kBuckets = 20;

  // The answers to calls that were sent between the first refused one and the backing off: what was accepted of them in
  // that time is what is allowed.
  struct Episode {
    base::Tick from, to;
    base::Tick seen;   // the latest of those that are answered
    double guess = 0;  // of the rate that is allowed, without them
    double accepted = 0, refused = 0;
    bool open = false;
  };

  void refill(base::Tick now);
  void recover(base::Tick now);
  double burst() const;
  double sent_lately(base::Tick before) const;
  void begin_episode(Taken taken, base::Tick now);
  void learn(bool accepted, Taken taken);
  void end_episode();

  double limit_, burst_;
  double current_;  // tokens per second now
  double tokens_;
  base::Tick refilled_;
  base::Tick recovered_;
  base::Tick paused_until_{};
  base::Tick backed_off_at_{};
  base::Tick quota_until_{};  // the other side counts anew then
  double quota_rate_ = 0;     // tokens per second that use up what it lets through until then
  bool backed_off_ = false;
  Episode episode_;
  base::Duration slowest_{};  // answer lately
  double ceiling_ = 0;        // what was allowed when it was last refused
  double growth_ = 0;
  double before_ = 0;  // the ceiling before the last episode
  int in_a_row_ = 0;
  double credit_ = 0;      // of calls that went well against those refused; nothing is felt for while it is owed
  double excess_ = 0;      // tokens taken above the ceiling since the last refusal
  double burst_seen_ = 0;  // how many of them the other side bore before it refused
  std::array<double, kBuckets> sent_{};  // tokens taken in the last tenths of a second
  std::int64_t bucket_ = 0;
  base::Tick counted_from_;
};

}  // namespace godwit::engine
