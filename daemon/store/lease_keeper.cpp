#include "store/lease_keeper.hpp"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <system_error>

#include "store/trouble.hpp"

namespace godwit::store {
namespace {

constexpr int kRenewalsInPeriod = 4;
constexpr double kActs = 0.7, kKilled = 0.85;

base::Duration part(base::Duration whole, double factor) {
  return base::Duration(static_cast<std::int64_t>(static_cast<double>(whole.count()) * factor));
}

// One round trip: renews, and tells how things are among the nodes. No row: the lease is not ours any more. The last
// column is how many others are overdue.
constexpr auto kRenew = R"sql(
WITH renewed AS (
  UPDATE godwit.lease SET until = now() + make_interval(secs => $3), renewed_at = now() WHERE node = $1 AND epoch = $2 AND until > '-infinity'
  RETURNING draining)
SELECT draining, (SELECT count(*) FROM godwit.lease WHERE node <> $1 AND until > '-infinity'),
  EXISTS (SELECT FROM godwit.open_run o WHERE o.node IN (SELECT node FROM godwit.lease WHERE until = '-infinity')),
  (SELECT count(*) FROM godwit.lease WHERE node <> $1 AND until < now() AND until > '-infinity') FROM renewed)sql";

}  // namespace

LeaseKeeper::LeaseKeeper(const Site& site, base::Duration period, Hooks hooks)
    : site_(site), period_(period), hooks_(std::move(hooks)), uplink_(site, "lease") {}

LeaseKeeper::~LeaseKeeper() {
  join();
  if (timer_) ::timer_delete(*timer_);
}

base::Duration LeaseKeeper::boot_time() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<base::Duration>(std::chrono::seconds(now.tv_sec) +
                                                    std::chrono::nanoseconds(now.tv_nsec));
}

base::Duration LeaseKeeper::left() const {
  return base::Duration(until_.load(std::memory_order_relaxed)) - boot_time();
}

void LeaseKeeper::start(const NodeSeat& seat, base::Duration taken) {
  seat_ = seat;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  if (::timer_create(CLOCK_BOOTTIME, &event, &timer) != 0)
    throw std::system_error(errno, std::generic_category(), "timer_create");
  timer_ = timer;
  acts_from(taken);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "store-lease");
}

void LeaseKeeper::acts_from(base::Duration sent) {
  {
    const std::lock_guard lock(mutex_);
    arm(sent + part(period_, kKilled));
  }
  until_.store((sent + part(period_, kActs)).count(), std::memory_order_relaxed);
}

// Zero stops it. Under mutex_.
void LeaseKeeper::arm(base::Duration deadline) {
  itimerspec when{};
  when.it_value.tv_sec = deadline.count() / 1'000'000;
  when.it_value.tv_nsec = deadline.count() % 1'000'000 * 1'000;
  ::timer_settime(*timer_, TIMER_ABSTIME, &when, nullptr);
}

void LeaseKeeper::at_rest() {
  const std::lock_guard lock(mutex_);
  until_.store(0, std::memory_order_relaxed);
  if (timer_) arm({});
}

void LeaseKeeper::hurry() {
  const std::lock_guard lock(mutex_);
  hurry_ = true;
  wake_.notify_one();
}

void LeaseKeeper::join() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (timer_) arm({});
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LeaseKeeper::run() {
  try {
    for (;;) {
      wait();
      if (site_.stop.raised()) return;
      if (!renew()) return hooks_.lost();
    }
  } catch (const Stopped&) {
  }
}

// Until the next renewal is due.
void LeaseKeeper::wait() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, period_ / kRenewalsInPeriod, [this] { return stopped_ || hurry_; });
  hurry_ = false;
  if (stopped_) throw Stopped{};
}

// False when the lease is not ours any more. A database that is away is asked again and again.
bool LeaseKeeper::renew() {
  for (;;) {
    const auto sent = boot_time();
    try {
      Connection& connection = uplink_.get();
      const auto rows =
          connection.query(kRenew, seat_.node, seat_.epoch, std::chrono::duration<double>(period_).count());
      if (rows.empty()) return false;
      uplink_.succeeded();
      acts_from(sent);
      engine::Beat beat{rows[0][1].as<std::size_t>(), rows[0][0].as<bool>(), rows[0][2].as<bool>()};
      if (rows[0][3].as<int>() > 0 && connection.query("SELECT godwit.end_overdue_leases()")[0][0].as<int>() > 0)
        beat.orphans = true;
      hooks_.renewed(beat);
      return true;
    } catch (const Stopped&) {
      throw;
    } catch (const std::exception& error) {
      if (classify(error) == Trouble::lost) uplink_.drop();
      uplink_.back_off();
    }
  }
}

}  // namespace godwit::store
