#include "engine/scheduler.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/suggest.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// A fire that comes later than this was missed: the daemon was away, or the machine asleep.
constexpr auto kLateMax = std::chrono::minutes(1);
constexpr auto kTryAgain = std::chrono::seconds(5);
// Timers are set no further ahead: the wall clock may be changed while one waits.
constexpr auto kSleepMax = std::chrono::hours(1);
constexpr std::size_t kMissedMax = 1000;
constexpr std::size_t kBackfillMax = 1000;
constexpr std::string_view kMadeBy[] = {"job", "operator"};

// The same on every node and in every life: FNV-1a of the name.
base::Duration offset_of(const model::Schedule& schedule) {
  const auto range = std::chrono::floor<std::chrono::seconds>(schedule.jitter).count();
  if (range == 0) return {};
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : schedule.name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return std::chrono::seconds(static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(range)));
}

base::Error not_stored(const Verdict& verdict) {
  if (verdict.kind == Verdict::fenced) return {base::ErrorKind::unavailable, "another daemon took this node's place"};
  return base::refused("the schedule cannot be stored: " + verdict.message);
}

// What another node has decided of a fire time; empty while that is open.
std::string text_of(const OpenFires& fires) {
  if (fires.taken) return "another node: run " + model::text(*fires.taken);
  return fires.skipped.empty() ? "" : "another node: " + fires.skipped;
}

std::string run_list(const std::vector<model::RunId>& runs) {
  std::string text;
  for (const auto run : runs) text += (text.empty() ? "" : ", ") + model::text(run);
  return text;
}

}  // namespace

Scheduler::Entry::Entry(ScheduleSet stored, model::Schedule given)
    : set(std::move(stored)),
      schedule(std::move(given)),
      times(schedule.timing),
      offset(offset_of(schedule)),
      cursor(set.since) {}

void Scheduler::start() {
  parts_.store.load_schedules([this](Result<std::vector<StoredSchedule>> stored) {
    if (!stored) return base::log::warning("the schedules were not loaded: {}", stored.error().what());
    for (auto& schedule : *stored) adopt(std::move(schedule));
    started_ = true;
    reload();
    // A copy: settling may change the map.
    for (const auto& [name, entry] : std::map(entries_)) wake(entry);
  });
}

// What an operator did at another node counts here as well; of a job's own schedule that is whether it is paused.
void Scheduler::refresh() {
  if (!started_) return;
  parts_.store.load_schedules([this, seen = changes_](Result<std::vector<StoredSchedule>> stored) {
    if (!stored || !started_ || changes_ != seen) return;
    for (auto& schedule : *stored) take_over(std::move(schedule));
  });
}

void Scheduler::take_over(StoredSchedule stored) {
  const auto known = entries_.find(stored.set.name);
  if (known == entries_.end()) {
    if (stored.set.made_by == ScheduleSet::MadeBy::job)
      stored.set.paused ? void(paused_meanwhile_.insert(stored.set.name))
                        : void(paused_meanwhile_.erase(stored.set.name));
    if (stored.set.made_by == ScheduleSet::MadeBy::job || stored.set.removed) return;
    const auto name = stored.set.name;
    adopt(std::move(stored));
    if (const auto added = entries_.find(name); added != entries_.end()) arm(added->second);
    return;
  }
  const auto entry = known->second;
  if (stored.set.made_by == ScheduleSet::MadeBy::job || entry->set.made_by == ScheduleSet::MadeBy::job) {
    entry->set.paused = stored.set.paused;
  } else if (stored.set.removed) {
    drop(stored.set.name);
  } else if (stored.set.definition != entry->set.definition) {
    const auto cursor = entry->cursor;
    drop(stored.set.name);
    const auto name = stored.set.name;
    adopt(std::move(stored));
    const auto anew = entries_.find(name);
    if (anew == entries_.end()) return;
    anew->second->cursor = std::max(anew->second->cursor, cursor);
    arm(anew->second);
  } else {
    entry->set.paused = stored.set.paused;
  }
}

void Scheduler::stop() {
  started_ = false;
  for (const auto& [name, entry] : entries_)
    if (entry->timer) parts_.clock.cancel(std::exchange(entry->timer, 0));
}

void Scheduler::adopt(StoredSchedule stored) {
  if (stored.set.removed) return;
  try {
    auto schedule = model::schedule_from_json(base::parse_json(stored.set.definition).as_object());
    auto entry = std::make_shared<Entry>(std::move(stored.set), std::move(schedule));
    entry->cursor = std::max(entry->cursor, stored.last_fire.value_or(entry->cursor));
    entries_[entry->schedule.name] = std::move(entry);
  } catch (const std::exception& error) {
    base::log::error("schedule '{}' is not used, its definition cannot be read: {}", stored.set.name, error.what());
  }
}

// Brings the schedules of job files up to date. One that is new or changed fires from now on, not for the past.
void Scheduler::reload() {
  if (!started_) return;
  std::map<std::string, model::Schedule> wanted;
  for (const auto& job : parts_.library.list())
    for (const auto& schedule : job->schedules) wanted.emplace(schedule.name, schedule);
  std::vector<Fact> facts;
  for (const auto& [name, entry] : std::map(entries_)) {
    if (entry->set.made_by != ScheduleSet::MadeBy::job || wanted.contains(name)) continue;
    // Another node may have the job's file still; the record stays, this node only stops looking. The file may come
    // back, and what an operator has paused is paused then.
    if (entry->set.paused) paused_meanwhile_.insert(name);
    drop(name);
  }
  for (auto& [name, schedule] : wanted) {
    const auto known = entries_.find(name);
    const bool same = known != entries_.end() && known->second->set.made_by == ScheduleSet::MadeBy::job &&
                      known->second->schedule == schedule;
    if (same) continue;
    const bool paused = known != entries_.end() ? known->second->set.paused : paused_meanwhile_.erase(name) > 0;
    ScheduleSet set{name,  ScheduleSet::MadeBy::job, base::serialize(model::to_json(schedule)), paused,
                    false, parts_.clock.now()};
    facts.emplace_back(set);
    put(std::make_shared<Entry>(std::move(set), schedule));
  }
  if (!facts.empty()) parts_.store.append(std::move(facts), [](const Verdict&) {});
}

Scheduler::Shared Scheduler::find(const std::string& name) const {
  if (const auto found = entries_.find(name); found != entries_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, entry] : entries_) names.push_back(known);
  const auto hint = base::suggest(name, names);
  throw base::not_found("there is no schedule '" + name + "'",
                        hint.empty() ? "`godwit schedule list` shows what there is" : hint);
}

void Scheduler::put(Shared entry) {
  drop(entry->schedule.name);
  entries_[entry->schedule.name] = entry;
  arm(entry);
}

void Scheduler::drop(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  if (found->second->timer) parts_.clock.cancel(std::exchange(found->second->timer, 0));
  entries_.erase(found);
}

void Scheduler::arm(const Shared& entry) {
  if (entry->timer) parts_.clock.cancel(std::exchange(entry->timer, 0));
  const auto next = entry->times.next(entry->cursor);
  if (!started_ || !next) return;
  const auto wait =
      std::clamp<base::Duration>(*next + entry->offset - parts_.clock.now(), base::Duration(0), kSleepMax);
  entry->timer = parts_.clock.at(parts_.clock.tick() + wait, [this, entry] {
    entry->timer = 0;
    wake(entry);
  });
}

// The fire times that have come since the cursor, the last of them when there are very many.
std::vector<base::Instant> Scheduler::passed(Entry& entry, base::Instant now, std::size_t& forgotten) const {
  std::deque<base::Instant> found;
  forgotten = 0;
  // Longer ago than anybody may ask for; a schedule of each second must not keep the daemon from starting.
  const auto from = std::max(
      entry.cursor, now - std::max<base::Duration>(entry.schedule.missed_within, std::chrono::days(1)) - entry.offset);
  for (auto next = entry.times.next(from); next && *next + entry.offset <= now; next = entry.times.next(*next)) {
    found.push_back(*next);
    if (found.size() <= kMissedMax) continue;
    found.pop_front();
    ++forgotten;
  }
  return {found.begin(), found.end()};
}

bool Scheduler::is_current(const Shared& entry) const {
  const auto current = entries_.find(entry->schedule.name);
  return started_ && current != entries_.end() && current->second == entry;
}

void Scheduler::wake(const Shared& entry) {
  if (!is_current(entry)) return;
  const auto now = parts_.clock.now();
  std::size_t forgotten = 0;
  const auto instants = passed(*entry, now, forgotten);
  for (std::size_t i = 0; i < instants.size(); ++i) {
    const auto late = now - (instants[i] + entry->offset);
    const bool was_missed = late > kLateMax;
    // What is on time makes up for nothing: the last missed one has its own run.
    const bool last_missed =
        was_missed && (i + 1 == instants.size() || now - (instants[i + 1] + entry->offset) <= kLateMax);
    std::string why;
    if (entry->set.paused)
      why = "the schedule was paused";
    else if (was_missed && late > entry->schedule.missed_within)
      why = "missed: nobody was there to fire it, and it is longer ago than missed_within: " +
            base::format_duration(entry->schedule.missed_within);
    else if (was_missed && entry->schedule.missed == model::Missed::none)
      why = "missed: nobody was there to fire it (missed: none)";
    else if (was_missed && entry->schedule.missed == model::Missed::last && !last_missed)
      why = "missed: nobody was there to fire it; a later one was made up for (missed: last)";
    if (i == 0 && forgotten > 0)
      why += fmt::format("{}{} earlier fire times are not recorded one by one", why.empty() ? "" : "; ", forgotten);
    entry->due.push_back({instants[i], std::move(why)});
  }
  if (!instants.empty()) entry->cursor = instants.back();
  arm(entry);
  settle_next(entry);
}

void Scheduler::settle_next(const Shared& entry) {
  if (entry->busy || entry->due.empty() || !started_) return;
  entry->busy = true;
  const auto& due = entry->due.front();
  if (due.skip.empty())
    fire(entry, due.instant);
  else
    skip(entry, due.instant, due.skip);
}

void Scheduler::settled(const Shared& entry, std::string last) {
  entry->last = std::move(last);
  entry->due.pop_front();
  entry->busy = false;
  settle_next(entry);
}

void Scheduler::skip(const Shared& entry, base::Instant instant, const std::string& why) {
  std::vector<Fact> facts;
  facts.emplace_back(FireSkipped{entry->schedule.name, instant, why, parts_.clock.now()});
  parts_.store.append(std::move(facts), [this, entry, why](const Verdict&) { settled(entry, why); });
}

void Scheduler::fire(const Shared& entry, base::Instant instant) {
  if (entry->schedule.overlap == model::Overlap::allow) return decide(entry, instant, {});
  parts_.store.open_fires(entry->schedule.name, instant, [this, entry, instant](Result<OpenFires> open) {
    if (open) return decide(entry, instant, *open);
    base::log::warning("schedule '{}' did not fire yet: {}", entry->schedule.name, open.error().what());
    try_again(entry);
  });
}

// While the store is being stopped nothing comes of it; the next start finds the fire time missed.
void Scheduler::try_again(const Shared& entry) {
  parts_.clock.at(parts_.clock.tick() + kTryAgain, [this, entry] {
    entry->busy = false;
    if (is_current(entry)) settle_next(entry);
  });
}

void Scheduler::decide(const Shared& entry, base::Instant instant, const OpenFires& fires) {
  if (auto decided = text_of(fires); !decided.empty()) return settled(entry, std::move(decided));
  const auto overlap = entry->schedule.overlap;
  const auto& open = fires.runs;
  if (!open.empty() && overlap == model::Overlap::skip)
    return skip(entry, instant, "run " + run_list(open) + " of the schedule had not ended (overlap: skip)");
  if (overlap == model::Overlap::cancel_older)
    for (const auto run : open)
      parts_.cancel(run, Caller{0, "schedule " + entry->schedule.name}, [](const Result<Nothing>&) {});
  submit(entry, Fired{entry->schedule.name, instant, {}}, Caller{0, "schedule " + entry->schedule.name},
         [this, entry, instant](Result<SubmitReceipt> receipt) {
           if (receipt && !receipt->skipped.empty()) return settled(entry, "another node: " + receipt->skipped);
           if (receipt)
             return settled(entry, (receipt->existing ? "another node: run " : "run ") + model::text(receipt->run));
           if (receipt.error().kind() == base::ErrorKind::unavailable) return;
           refused(entry, instant, std::string("the submit was refused: ") + receipt.error().what());
         });
}

// Another node may have what this one lacks, and gets some time to submit the run: the first record of a fire time
// wins.
void Scheduler::refused(const Shared& entry, base::Instant instant, const std::string& why) {
  const auto time = parts_.intake.time_of_others();
  if (!time) {
    base::log::error("schedule '{}' led to no run: {}", entry->schedule.name, why);
    return skip(entry, instant, why);
  }
  parts_.clock.at(parts_.clock.tick() + *time, [this, entry, instant, why] { look_at_others(entry, instant, why); });
  settled(entry, "left to other nodes: " + why);
}

void Scheduler::look_at_others(const Shared& entry, base::Instant instant, const std::string& why) {
  // When this node looks at schedules again, this fire time is one that was missed.
  if (!started_) return;
  parts_.store.open_fires(entry->schedule.name, instant, [this, entry, instant, why](const Result<OpenFires>& open) {
    if (!open) return;
    const auto decided = text_of(*open);
    if (entry->last == "left to other nodes: " + why) entry->last = decided.empty() ? why : decided;
    if (!decided.empty()) return;
    base::log::error("schedule '{}' led to no run: {}", entry->schedule.name, why);
    parts_.store.append({FireSkipped{entry->schedule.name, instant, why, parts_.clock.now()}}, [](const Verdict&) {});
  });
}

void Scheduler::submit(const Shared& entry, std::optional<Fired> fire, Caller caller, Answer<SubmitReceipt> answer) {
  SubmitRequest request{.job = entry->schedule.job, .params = entry->schedule.params};
  request.fire = std::move(fire);
  const auto overlap = entry->schedule.overlap;
  // One place in the queue: a run waits for the one before it.
  if (overlap == model::Overlap::queue || overlap == model::Overlap::cancel_older)
    request.turn = queue_of_schedule(entry->schedule.name);
  parts_.intake.submit(std::move(request), std::move(caller), std::move(answer));
}

void Scheduler::store(ScheduleSet set, Caller caller, std::string command, std::function<void()> then,
                      Answer<Nothing> answer) {
  std::vector<Fact> facts;
  facts.emplace_back(
      Audited{caller.uid, caller.name, std::move(command), set.name, set.definition, parts_.clock.now()});
  facts.emplace_back(std::move(set));
  parts_.store.append(std::move(facts), [this, then = std::move(then), answer = std::move(answer)](const Verdict& verdict) {
    if (verdict.kind != Verdict::committed) return answer(not_stored(verdict));
    ++changes_;
    then();
    parts_.changed();
    answer(Nothing{});
  });
}

void Scheduler::set(model::Schedule schedule, Caller caller, Answer<Nothing> answer) {
  if (!model::is_schedule_name(schedule.name))
    throw base::refused("'" + schedule.name + "' cannot be a schedule's name", {},
                        "use letters, digits, _, -, . and /");
  const auto known = entries_.find(schedule.name);
  if (known != entries_.end() && known->second->set.made_by == ScheduleSet::MadeBy::job)
    throw base::refused(
        "the schedule '" + schedule.name + "' stands in the file of job '" + known->second->schedule.job + "'", {},
        "change it there, or take another name");
  parts_.intake.check(SubmitRequest{.job = schedule.job, .params = schedule.params});
  ScheduleSet set{
      schedule.name,     ScheduleSet::MadeBy::operator_, base::serialize(model::to_json(schedule)), false, false,
      parts_.clock.now()};
  auto entry = std::make_shared<Entry>(set, std::move(schedule));
  if (!entry->times.next(parts_.clock.now()))
    throw base::refused("the schedule '" + set.name + "' would never fire: no fire time of it is to come", {},
                        "give it one in the future; `godwit submit` makes a run now");
  store(
      std::move(set), std::move(caller), "schedule.set", [this, entry] { put(entry); }, std::move(answer));
}

void Scheduler::remove(const std::string& name, Caller caller, Answer<Nothing> answer) {
  const auto entry = find(name);
  if (entry->set.made_by == ScheduleSet::MadeBy::job)
    throw base::refused("the schedule '" + name + "' stands in the file of job '" + entry->schedule.job + "'", {},
                        "take it out there, or pause it");
  auto set = entry->set;
  set.removed = true;
  store(
      std::move(set), std::move(caller), "schedule.remove", [this, name] { drop(name); }, std::move(answer));
}

void Scheduler::pause(const std::string& name, bool paused, Caller caller, Answer<Nothing> answer) {
  const auto entry = find(name);
  auto set = entry->set;
  set.paused = paused;
  store(
      std::move(set), std::move(caller), paused ? "schedule.pause" : "schedule.resume",
      [entry, paused] { entry->set.paused = paused; }, std::move(answer));
}

void Scheduler::trigger(const std::string& name, Caller caller, Answer<model::RunId> answer) {
  submit(find(name), std::nullopt, std::move(caller), [answer = std::move(answer)](Result<SubmitReceipt> receipt) {
    receipt ? answer(receipt->run) : answer(receipt.error());
  });
}

void Scheduler::backfill(const std::string& name, base::Instant from, base::Instant to, Caller caller,
                         Answer<Backfilled> answer) {
  const auto entry = find(name);
  std::deque<base::Instant> instants;
  for (auto next = entry->times.next(from); next && *next <= std::min(to, parts_.clock.now());
       next = entry->times.next(*next)) {
    if (instants.size() == kBackfillMax)
      throw base::refused(fmt::format("there are more than {} fire times in this range", kBackfillMax), {},
                          "take a shorter one");
    instants.push_back(*next);
  }
  backfill_next(entry, std::move(instants), std::move(caller), {}, std::move(answer));
}

void Scheduler::backfill_next(const Shared& entry, std::deque<base::Instant> left, Caller caller, Backfilled done,
                              Answer<Backfilled> answer) {
  if (left.empty()) return parts_.clock.post([done = std::move(done), answer = std::move(answer)] { answer(done); });
  const auto instant = left.front();
  left.pop_front();
  submit(entry, Fired{entry->schedule.name, instant, {}, true}, caller,
         [this, entry, left = std::move(left), caller, done = std::move(done),
          answer = std::move(answer)](Result<SubmitReceipt> receipt) mutable {
           if (!receipt) return answer(receipt.error());
           if (receipt->existing)
             ++done.existing;
           else
             done.runs.push_back(receipt->run);
           backfill_next(entry, std::move(left), std::move(caller), std::move(done), std::move(answer));
         });
}

json::array Scheduler::view() const {
  json::array list;
  for (const auto& [name, entry] : entries_) {
    const auto& timing = entry->schedule.timing;
    const auto next = entry->times.next(entry->cursor);
    json::object shown{{"schedule", name},
                       {"job", entry->schedule.job},
                       {"when", fmt::format("{} {}", model::name_in(model::kTimingKinds, timing.kind), timing.text)},
                       {"zone", entry->times.zone().name()},
                       {"overlap", model::name_in(model::kOverlaps, entry->schedule.overlap)},
                       {"made_by", kMadeBy[static_cast<std::size_t>(entry->set.made_by)]},
                       {"paused", entry->set.paused},
                       {"next", nullptr},
                       {"last", entry->last}};
    if (next && !entry->set.paused) shown["next"] = base::format_instant(*next + entry->offset);
    list.push_back(std::move(shown));
  }
  return list;
}

std::vector<base::Instant> Scheduler::next(const std::string& name, std::size_t count) const {
  const auto entry = find(name);
  std::vector<base::Instant> instants;
  for (auto next = entry->times.next(std::max(entry->cursor, parts_.clock.now())); next && instants.size() < count;
       next = entry->times.next(*next))
    instants.push_back(*next);
  return instants;
}

}  // namespace godwit::engine
