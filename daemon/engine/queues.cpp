#include "engine/queues.hpp"

#include <algorithm>
#include <limits>

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::string_view kOfSchedule = "schedule:";
constexpr std::string_view kOfJob = "job:";
constexpr std::size_t kRunsShown = 20;
constexpr std::size_t kHoldersShown = 5;
constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();

json::value bound(int concurrency) {
  return concurrency > 0 ? json::value(concurrency) : json::value();
}

}  // namespace

std::string queue_of_schedule(const std::string& schedule) {
  return std::string(kOfSchedule) + schedule;
}

std::string queue_of_job(const std::string& job) {
  return std::string(kOfJob) + job;
}

Queues::Queue& Queues::queue(const std::string& name) {
  const auto [found, is_new] = queues_.try_emplace(name);
  if (is_new) {
    found->second.spec.concurrency_total = total_of_new(name);
    // What others have of it nobody knows yet.
    if (shared_ && found->second.spec.concurrency_total > 0) found->second.quota = QuotaGrant{};
  }
  return found->second;
}

// Wherever the runs of a schedule are, they wait for each other.
int Queues::total_of_new(const std::string& name) {
  return name.starts_with(kOfSchedule) ? 1 : 0;
}

void Queues::drop_idle(const std::string& name) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  const Queue& queue = found->second;
  if (!queue.configured && !queue.paused && queue.runs.empty() && queue.lanes.empty()) queues_.erase(found);
}

void Queues::set(const std::string& name, const model::QueueSpec& spec) {
  Queue& changed = queue(name);
  changed.spec = spec;
  changed.configured = true;
  refresh_lanes_of(name);
}

void Queues::remove(const std::string& name) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  for (const Rank* rank : std::set(found->second.lanes)) {
    const auto lane = lanes_.find(*rank);
    waiting_ -= lane->second.waiting.size();
    if (lane->second.turn) ready_.erase(*lane->second.turn);
    for (const auto& other : rank->queues) {
      Queue& waited_for = queues_.at(other);
      waited_for.waiting -= lane->second.waiting.size();
      waited_for.lanes.erase(rank);
    }
    lanes_.erase(lane);
  }
  queues_.erase(found);
}

std::size_t Queues::waiting(const std::string& name) const {
  const auto found = queues_.find(name);
  return found == queues_.end() ? 0 : found->second.waiting;
}

bool Queues::is_idle(const std::string& name) const {
  const auto found = queues_.find(name);
  return found == queues_.end() || (found->second.waiting == 0 && found->second.has_place());
}

std::size_t Queues::Queue::most_here() const {
  return spec.concurrency > 0 ? static_cast<std::size_t>(spec.concurrency) : kNoBound;
}

std::size_t Queues::Queue::most_of_total() const {
  if (spec.concurrency_total == 0) return kNoBound;
  const std::int64_t most = quota ? std::min<std::int64_t>(spec.concurrency_total, quota->usable()) : spec.concurrency_total;
  return static_cast<std::size_t>(std::max<std::int64_t>(0, most));
}

void Queues::pause(const std::string& name, std::optional<Pause> pause) {
  queue(name).paused = std::move(pause);
  refresh_lanes_of(name);
  drop_idle(name);
}

void Queues::set_pauses(const std::map<std::string, Pause>& pauses) {
  std::vector<std::string> ended;
  for (const auto& [name, queue] : queues_)
    if (queue.paused && !pauses.contains(name)) ended.push_back(name);
  for (const auto& name : ended) pause(name, std::nullopt);
  for (const auto& [name, given] : pauses) pause(name, given);
}

bool Queues::paused(const std::string& name) const {
  const auto found = queues_.find(name);
  return found != queues_.end() && found->second.paused;
}

bool Queues::has_places(const Rank& rank, std::string_view but) const {
  return std::all_of(rank.queues.begin(), rank.queues.end(), [this, but](const auto& name) {
    const auto found = queues_.find(name);
    return name == but || found == queues_.end() || found->second.has_place();
  });
}

// Brings the lane's place among those whose turn may come up to date.
void Queues::refresh(const Rank& rank) {
  const auto found = lanes_.find(rank);
  if (found == lanes_.end()) return;
  Lane& lane = found->second;
  std::optional<Turn> turn;
  if (!lane.waiting.empty() && has_places(rank))
    turn = {turn_of(lane.waiting.front().since, rank.priority), lane.waiting.front().run};
  if (turn == lane.turn) return;
  if (lane.turn) ready_.erase(*lane.turn);
  if (turn) ready_.emplace(*turn, &found->first);
  lane.turn = turn;
}

void Queues::refresh_lanes_of(const std::string& name) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  for (const Rank* rank : found->second.lanes) refresh(*rank);
}

void Queues::add(model::RunId run, const Rank& rank, base::Instant since) {
  const auto [found, is_new] = lanes_.try_emplace(rank);
  for (const auto& name : rank.queues) {
    Queue& waited_for = queue(name);
    if (is_new) waited_for.lanes.insert(&found->first);
    ++waited_for.waiting;
  }
  auto& waiting = found->second.waiting;
  // Nearly always the last; who was at work before a restart comes before all others.
  auto place = waiting.end();
  while (place != waiting.begin() && std::prev(place)->since > since) --place;
  waiting.insert(place, {run, since});
  ++waiting_;
  refresh(rank);
  if (!found->second.turn) note_shortage(rank);
}

std::optional<Queues::Next> Queues::next() const {
  if (ready_.empty()) return std::nullopt;
  const auto& [turn, rank] = *ready_.begin();
  return Next{turn.second, *rank, turn.first};
}

void Queues::take() {
  const Rank rank = *ready_.begin()->second;
  Lane& lane = lanes_.at(rank);
  const model::RunId run = lane.waiting.front().run;
  lane.waiting.pop_front();
  enter(run, rank);
  removed(rank, lane);
}

// One run less waits in the lane.
void Queues::removed(const Rank& rank, Lane& lane) {
  --waiting_;
  for (const auto& name : rank.queues) --queues_.at(name).waiting;
  refresh(rank);
  if (!lane.waiting.empty()) return;
  const auto found = lanes_.find(rank);
  for (const auto& name : rank.queues) queues_.at(name).lanes.erase(&found->first);
  lanes_.erase(found);
  for (const auto& name : rank.queues) drop_idle(name);
}

void Queues::enter(model::RunId run, const Rank& rank) {
  for (const auto& name : rank.queues)
    if (queue(name).runs.insert(run).second) refresh_lanes_of(name);
}

void Queues::leave(model::RunId run, const Rank& rank) {
  for (const auto& name : rank.queues) {
    const auto found = queues_.find(name);
    if (found == queues_.end() || found->second.runs.erase(run) == 0) continue;
    refresh_lanes_of(name);
    drop_idle(name);
  }
}

void Queues::forget(model::RunId run, const Rank& rank) {
  const auto found = lanes_.find(rank);
  if (found == lanes_.end()) return;
  auto& waiting = found->second.waiting;
  const auto place = std::find_if(waiting.begin(), waiting.end(), [run](const Waiting& one) { return one.run == run; });
  if (place == waiting.end()) return;
  waiting.erase(place);
  removed(Rank(rank), found->second);
}

void Queues::keep(const std::set<model::RunId>& kept) {
  lanes_.clear();
  ready_.clear();
  waiting_ = 0;
  for (auto& [name, queue] : queues_) {
    queue.lanes.clear();
    queue.waiting = 0;
    std::erase_if(queue.runs, [&](const auto run) { return !kept.contains(run); });
  }
  for (auto place = queues_.begin(); place != queues_.end();) {
    const auto name = (place++)->first;
    drop_idle(name);
  }
}

json::array Queues::view() const {
  json::array out;
  for (const auto& [name, queue] : queues_) {
    json::array runs;
    for (const auto run : queue.runs) {
      if (runs.size() == kRunsShown) break;
      runs.emplace_back(model::number(run));
    }
    json::object shown{{"queue", name},
                       {"concurrency", bound(queue.spec.concurrency)},
                       {"concurrency_total", bound(queue.spec.concurrency_total)},
                       {"quota", queue.quota ? json::value(queue.quota->usable()) : json::value()},
                       {"running", queue.runs.size()},
                       {"waiting", queue.waiting},
                       {"paused", queue.paused.has_value()},
                       {"runs", std::move(runs)}};
    if (queue.paused) {
      shown["paused_by"] = queue.paused->who;
      shown["paused_since"] = base::format_instant(queue.paused->at);
    }
    out.push_back(std::move(shown));
  }
  return out;
}

std::string Queues::full_text(const std::string& name, const Queue& queue) const {
  std::string holders;
  std::size_t shown = 0;
  for (const auto run : queue.runs) {
    if (++shown > kHoldersShown) break;
    holders += (holders.empty() ? "run " : ", run ") + model::text(run);
  }
  if (queue.runs.size() > kHoldersShown) holders += ", ...";
  const bool by_total = queue.most_of_total() < queue.most_here();
  std::string text = "waits for its turn in queue '" + name + "': ";
  if (by_total && queue.quota) {
    text += "of its " + std::to_string(queue.spec.concurrency_total) + " places on all nodes together this node has " +
            std::to_string(queue.most_of_total()) + " just now";
    if (!holders.empty()) text += ", taken by " + holders;
  } else {
    text += std::to_string(queue.runs.size()) + " of " +
            std::to_string(by_total ? queue.spec.concurrency_total : queue.spec.concurrency) + " places are taken by " +
            holders;
  }
  if (name.starts_with(kOfSchedule)) text += " (overlap of the schedule)";
  if (name.starts_with(kOfJob)) text += " (most of them wait for limits or providers)";
  return text;
}

json::array Queues::reasons(const Rank& rank) const {
  json::array out;
  for (const auto& name : rank.queues) {
    const auto found = queues_.find(name);
    if (found == queues_.end() || found->second.has_place()) continue;
    const Queue& queue = found->second;
    std::string text;
    if (queue.paused) {
      text = "queue '" + name + "' was paused by " + queue.paused->who + " at " +
             base::format_instant(queue.paused->at) + "; `godwit queue resume " + name + "` lets it go on";
    } else {
      text = full_text(name, queue);
    }
    out.push_back(json::object{{"code", queue.paused ? "queue_paused" : "queue"}, {"queue", name}, {"text", text}});
  }
  return out;
}

}  // namespace godwit::engine
