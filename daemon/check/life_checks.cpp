#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "check/checks.hpp"
#include "check/process_facts.hpp"

namespace godwit::check {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCycles = 1000;
constexpr int kCyclesBefore = 200;            // until caches and arenas have their size
constexpr int kCyclesLeast = 300;             // below which a slope says nothing
constexpr std::size_t kGrowthPerCycle = 256;  // bytes; what an allocator may need for its own sake
constexpr std::size_t kGrowthMin = 512 * 1024;

// Time for a busy machine on top of what the manifest promises.
constexpr auto kMargin = std::chrono::milliseconds(300);

// One call that was told to end.
struct Interrupted {
  Ran ran;
  std::chrono::milliseconds took{};  // from the moment it was told to end
};

std::chrono::milliseconds since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
}

// Runs `target` on another thread while this one watches the clock; `interrupt` is called with the call after `delay`.
// Empty when the call does not come back in time: the process is of no use then.
std::optional<Interrupted> run_and_interrupt(const Instance& instance, const Target& target, const std::string& input,
                                             CallPlan plan, std::chrono::microseconds delay, bool cancel,
                                             std::chrono::milliseconds patience) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    Ran ran;
    std::unique_ptr<gw_call> call;
  };
  auto shared = std::make_shared<Shared>();
  std::thread runner([shared, &instance, &target, input, plan = std::move(plan)]() mutable {
    {
      const std::lock_guard lock(shared->mutex);
      shared->call = std::make_unique<gw_call>(std::move(plan));
      shared->changed.notify_all();
    }
    Ran ran = instance.run(target.method, input, *shared->call);
    const std::lock_guard lock(shared->mutex);
    shared->ran = std::move(ran);
    shared->done = true;
    shared->changed.notify_all();
  });
  std::unique_lock lock(shared->mutex);
  shared->changed.wait(lock, [&] { return shared->call != nullptr; });
  shared->changed.wait_for(lock, delay, [&] { return shared->done; });
  const auto told = Clock::now();
  if (cancel) shared->call->cancel();
  if (!shared->changed.wait_for(lock, patience, [&] { return shared->done; })) {
    runner.detach();
    return std::nullopt;
  }
  Interrupted result{std::move(shared->ran), since(told)};
  lock.unlock();
  runner.join();
  return result;
}

std::chrono::microseconds typical_time(const Instance& instance, const Target& target, const std::string& input) {
  const auto begin = Clock::now();
  instance.run(target.method, input);
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
}

}  // namespace

void check_slopes(Session& session) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return session.skip("this checker is built with a sanitizer, whose allocator keeps what is freed");
#endif
  session.limit_time(std::chrono::seconds(60));
  session.plugin();
  const ProcessFacts before = process_facts();
  for (const auto& target : session.targets()) {
    std::optional<std::string> input;
    {
      const auto instance = session.open(target);
      input = session.good_input(target, *instance);
    }
    if (!input) continue;
    session.doing("opening, calling and closing " + target.name() + " again and again");
    ProcessFacts early;
    int cycles = 0;
    for (; cycles < kCycles && session.time_left(); ++cycles) {
      if (cycles == kCyclesBefore) early = process_facts();
      session.complaints(target.name(), session.open(target)->run(target.method, *input));
    }
    if (cycles < kCyclesLeast) {
      session.note(target.name() + " is too slow for slopes: " + std::to_string(cycles) +
                   " cycles in the time there is");
      continue;
    }
    const ProcessFacts late = process_facts();
    const auto counted = static_cast<std::size_t>(cycles - kCyclesBefore);
    const std::size_t grown = late.rss > early.rss ? late.rss - early.rss : 0;
    if (grown > kGrowthMin && grown / counted > kGrowthPerCycle)
      session.error(target.name() + ": memory grows by " + std::to_string(grown / counted) +
                    " bytes with each open, run and close");
    if (late.fds > early.fds)
      session.error(target.name() + ": " + std::to_string(late.fds - early.fds) + " descriptors were left open in " +
                    std::to_string(counted) + " cycles");
    if (late.children > early.children)
      session.error(target.name() + ": " + std::to_string(late.children - early.children) +
                    " processes were left in " + std::to_string(counted) + " cycles");
    for (const auto& signal : fatal_signals(late.handled & ~before.handled))
      session.warning(target.name() + " takes " + signal + " over: its crash would not be told as what it is");
    if (late.threads > early.threads)
      session.error(target.name() + ": " + std::to_string(late.threads - early.threads) + " threads were left in " +
                    std::to_string(counted) + " cycles");
    session.note(target.name() + ": " + std::to_string(cycles) + " cycles, " + std::to_string(grown / counted) +
                 " bytes of growth in each");
  }
}

void check_concurrency(Session& session) {
  const int together = std::min(session.manifest().concurrency, 8);
  if (together == 1) return session.skip("its manifest allows one call at a time");
  session.limit_time(std::chrono::seconds(20));
  for (const auto& target : session.targets()) {
    const auto instance = session.open(target);
    const auto input = session.good_input(target, *instance);
    if (!input) continue;
    session.doing(std::to_string(together) + " calls of " + target.name() + " at once");
    std::vector<std::thread> threads;
    std::vector<Ran> last(static_cast<std::size_t>(together));
    for (auto& slot : last)
      threads.emplace_back([&, end = Clock::now() + std::chrono::seconds(2)] {
        for (int i = 0; i < 200 && Clock::now() < end; ++i) slot = instance->run(target.method, *input);
      });
    for (auto& thread : threads) thread.join();
    for (const auto& ran : last)
      session.complaints(target.name() + " with " + std::to_string(together) + " calls at once", ran);
  }
}

void check_cancel(Session& session) {
  session.limit_time(std::chrono::seconds(30));
  const auto cancel_ms = std::chrono::duration_cast<std::chrono::milliseconds>(session.manifest().cancel);
  for (const auto& target : session.targets()) {
    const auto instance = session.open(target);
    const auto input = session.good_input(target, *instance);
    if (!input) continue;
    const auto typical = std::max<std::int64_t>(typical_time(*instance, target, *input).count(), 50);
    for (int i = 0; i < 50 && session.time_left(); ++i) {
      const auto delay =
          std::chrono::microseconds(std::uniform_int_distribution<std::int64_t>(0, typical)(session.random()));
      session.doing("cancelling " + target.name() + " after " + std::to_string(delay.count()) + " us");
      const auto end = run_and_interrupt(*instance, target, *input, {}, delay, true, cancel_ms + kMargin);
      if (!end) {
        session.error(target.name() + " does not end within cancel_ms (" + std::to_string(cancel_ms.count()) +
                      " ms) after it was cancelled: put check_cancel() into its loops, and bound what waits");
        session.give_up();
      }
      session.complaints(target.name() + " when cancelled", end->ran);
    }
  }
}

void check_deadline(Session& session) {
  session.limit_time(std::chrono::seconds(20));
  const auto cancel_ms = std::chrono::duration_cast<std::chrono::milliseconds>(session.manifest().cancel);
  for (const auto& target : session.targets()) {
    const auto instance = session.open(target);
    const auto input = session.good_input(target, *instance);
    if (!input) continue;
    for (int i = 0; i < 10 && session.time_left(); ++i) {
      const std::int64_t left_ms = i * 5;
      CallPlan plan;
      plan.time = std::chrono::milliseconds(left_ms);
      session.doing("calling " + target.name() + " with " + std::to_string(left_ms) + " ms until its deadline");
      const auto end = run_and_interrupt(*instance, target, *input, std::move(plan), std::chrono::milliseconds(left_ms),
                                         false, cancel_ms + kMargin);
      if (!end) {
        session.error(target.name() + " does not end within cancel_ms (" + std::to_string(cancel_ms.count()) +
                      " ms) of its deadline");
        session.give_up();
      }
      session.complaints(target.name() + " at its deadline", end->ran);
    }
  }
}

}  // namespace godwit::check
