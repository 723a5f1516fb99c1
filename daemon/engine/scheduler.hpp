#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cron/fire_times.hpp"
#include "engine/engine.hpp"
#include "engine/intake.hpp"
#include "model/schedule.hpp"

namespace godwit::engine {

// Submits runs when their schedules say so. Which fire time leads to a run is decided by the store, so that any number
// of nodes may look at the same schedules; a fire time that leads to none leaves a record with the reason.
class Scheduler {
 public:
  struct Parts {
    Store& store;
    Clock& clock;
    jobfile::Library& library;
    Intake& intake;
    std::function<void(model::RunId, Caller, Answer<Nothing>)> cancel;
    std::function<void()> changed;  // a schedule was, by an operator
  };
  explicit Scheduler(Parts parts) : parts_(std::move(parts)) {}

  // Loads what the store knows, makes up for what was missed and goes on from there.
  void start();
  void stop();
  // The library's jobs may have changed.
  void reload();
  // Another node may have changed schedules.
  void refresh();

  // Makes or changes an operator's schedule. Refuses what cannot be read, and names that a job file uses.
  void set(model::Schedule schedule, Caller caller, Answer<Nothing> answer);
  void remove(const std::string& name, Caller caller, Answer<Nothing> answer);
  void pause(const std::string& name, bool paused, Caller caller, Answer<Nothing> answer);
  // Submits a run now, whatever the schedule's times and overlap.
  void trigger(const std::string& name, Caller caller, Answer<model::RunId> answer);
  // Submits a run for each fire time after `from` and up to `to` that has none; at most 1000.
  struct Backfilled {
    std::vector<model::RunId> runs;
    std::size_t existing = 0;  // fire times that had led to a run before
  };
  void backfill(const std::string& name, base::Instant from, base::Instant to, Caller caller,
                Answer<Backfilled> answer);

  // {"schedule","job","when","zone","made_by","paused","next","last",...}, by name.
  base::json::array view() const;
  // The schedule's next fire times, jitter left out. Throws Error(not_found).
  std::vector<base::Instant> next(const std::string& name, std::size_t count) const;

 private:
  // One fire time on its way to a run, or to the reason why there is none.
  struct Due {
    base::Instant instant;
    std::string skip;  // the reason; empty when it shall lead to a run
  };
  struct Entry {
    Entry(ScheduleSet stored, model::Schedule schedule);

    ScheduleSet set;
    model::Schedule schedule;
    cron::FireTimes times;
    base::Duration offset;  // of the jitter
    base::Instant cursor;   // fire times up to this one have been looked at
    std::uint64_t timer = 0;
    std::deque<Due> due;
    bool busy = false;  // the first of `due` is being settled
    std::string last;   // what came of the last one, for people
  };
  using Shared = std::shared_ptr<Entry>;

  Shared find(const std::string& name) const;
  void adopt(StoredSchedule stored);
  void put(Shared entry);
  void drop(const std::string& name);
  void arm(const Shared& entry);
  void wake(const Shared& entry);
  std::vector<base::Instant> passed(Entry& entry, base::Instant now, std::size_t& forgotten) const;
  void settle_next(const Shared& entry);
  void settled(const Shared& entry, std::string last);
  void skip(const Shared& entry, base::Instant instant, const std::string& why);
  void fire(const Shared& entry, base::Instant instant);
  void try_again(const Shared& entry);
  bool is_current(const Shared& entry) const;
  void decide(const Shared& entry, base::Instant instant, const OpenFires& open);
  void refused(const Shared& entry, base::Instant instant, const std::string& why);
  void look_at_others(const Shared& entry, base::Instant instant, const std::string& why);
  void take_over(StoredSchedule stored);
  void submit(const Shared& entry, std::optional<Fired> fire, Caller caller, Answer<SubmitReceipt> answer);
  void store(ScheduleSet set, Caller caller, std::string command, std::function<void()> then, Answer<Nothing> answer);
  void backfill_next(const Shared& entry, std::deque<base::Instant> left, Caller caller, Backfilled done,
                     Answer<Backfilled> answer);

  Parts parts_;
  std::map<std::string, Shared> entries_;
  std::set<std::string> paused_meanwhile_;  // schedules of jobs that are not here now
  bool started_ = false;
  // How many schedules were changed here: who reads them from the store sees by it that he may have read too early.
  std::uint64_t changes_ = 0;
};

}  // namespace godwit::engine
