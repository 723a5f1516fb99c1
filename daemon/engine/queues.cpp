#include "engine/queues.hpp"

#include <algorithm>

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::string_view kOfSchedule = "schedule:";
constexpr std::size_t kRunsShown = 20;

json::value bound(int concurrency) {
  return concurrency > 0 ? json::value(concurrency) : json::value();
}

}  // namespace

std::string queue_of_schedule(const std::string& schedule) {
  return std::string(kOfSchedule) + schedule;
}

Queues::Queue& Queues::queue(const std::string& name) {
  auto [found, is_new] = queues_.try_emplace(name);
  if (is_new && name.starts_with(kOfSchedule)) found->second.spec.concurrency = 1;
  return found->second;
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

void Queues::pause(const std::string& name, std::optional<Pause> pause) {
  queue(name).paused = std::move(pause);
  refresh_lanes_of(name);
  drop_idle(name);
}

bool Queues::paused(const std::string& name) const {
  const auto found = queues_.find(name);
  return found != queues_.end() && found->second.paused;
}

bool Queues::has_places(const Rank& rank) const {
  return std::all_of(rank.queues.begin(), rank.queues.end(), [this](const auto& name) {
    const auto found = queues_.find(name);
    return found == queues_.end() || found->second.has_place();
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
      std::string holders;
      std::size_t shown = 0;
      for (const auto run : queue.runs) {
        if (++shown > 5) break;
        holders += (holders.empty() ? "run " : ", run ") + model::text(run);
      }
      if (queue.runs.size() > 5) holders += ", ...";
      text = "waits for its turn in queue '" + name + "': " + std::to_string(queue.runs.size()) + " of " +
             std::to_string(queue.spec.concurrency) + " places are taken by " + holders;
      if (name.starts_with(kOfSchedule)) text += " (overlap of the schedule)";
    }
    out.push_back(json::object{{"code", queue.paused ? "queue_paused" : "queue"}, {"queue", name}, {"text", text}});
  }
  return out;
}

}  // namespace godwit::engine
