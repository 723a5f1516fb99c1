#include "engine/limits.hpp"

#include <algorithm>

namespace godwit::engine {
namespace {

constexpr auto kPriorityLevel = std::chrono::minutes(1);
// The pause between grants that is assumed while none was seen, and the longest that counts.
constexpr base::Duration kFirstInterval = std::chrono::milliseconds(10);
constexpr base::Duration kLongestInterval = std::chrono::seconds(10);
// No owner's requests are put further back than this.
constexpr auto kFurthest = std::chrono::minutes(10);
constexpr std::size_t kHoldersShown = 20;

}  // namespace

std::string_view Limits::name(Source source) {
  switch (source) {
    case Source::job:
      return "job";
    case Source::config:
      return "config";
    case Source::operator_:
      return "operator";
  }
  return "";
}

Limits::~Limits() {
  for (auto& [name, limit] : limits_)
    if (limit.timer) clock_.cancel(limit.timer);
}

void Limits::set(const std::string& name, const model::LimitSpec& spec, Source source) {
  auto [position, is_new] = limits_.try_emplace(name);
  Limit& limit = position->second;
  if (!is_new && source < limit.source) return;
  limit.source = source;
  if (!is_new && limit.spec == spec) return;
  limit.spec = spec;
  if (!spec.is_rate())
    limit.rate.reset();
  else if (limit.rate)
    limit.rate->set(spec, clock_.tick());
  else
    limit.rate.emplace(spec, clock_.tick());
  serve(limit);
}

int Limits::permits(const std::string& name) const {
  const auto found = limits_.find(name);
  return found == limits_.end() ? 0 : found->second.spec.permits;
}

Limits::Request* Limits::find(Ticket ticket) const {
  const auto found = requests_.find(ticket);
  return found == requests_.end() ? nullptr : found->second.get();
}

Limits::Ticket Limits::acquire(const Demand& demand, std::string holder, std::function<void()> granted, Asker asker) {
  const Ticket ticket = ++last_ticket_;
  const auto now = clock_.tick();
  auto& request = *(requests_[ticket] = std::make_unique<Request>());
  request.holder = std::move(holder);
  request.granted = std::move(granted);
  request.owner = asker.owner;
  bool overtakes = false;
  for (const auto& [name, count] : demand) {
    Limit& limit = limits_.at(name);
    request.demand.emplace_back(&limit, count);
    overtakes = overtakes || !limit.queue.empty();
  }
  if (!overtakes && can_grant(request, now)) {
    take(request, now);
    return ticket;
  }
  enqueue(request, ticket, asker.priority, now);
  wait_for_tokens(request, now);
  // With priority it may be the first of all and have what it needs.
  if (overtakes && front(*request.demand.front().first) == &request)
    clock_.post([this, ticket] {
      if (const Request* waiting = find(ticket); waiting && waiting->waiting) serve(*waiting->demand.front().first);
    });
  return ticket;
}

void Limits::enqueue(Request& request, Ticket ticket, int priority, base::Tick now) {
  request.waiting = true;
  auto turn = now;
  for (const auto& [limit, count] : request.demand)
    if (const auto share = limit->shares.find(request.owner); request.owner != 0 && share != limit->shares.end())
      turn = std::clamp(share->second.next, turn, now + kFurthest);
  for (const auto& [limit, count] : request.demand) {
    auto& share = limit->shares[request.owner];
    ++share.waiting;
    const auto interval = limit->interval.count() > 0 ? limit->interval : kFirstInterval;
    share.next = turn + interval * static_cast<std::int64_t>(limit->shares.size());
  }
  request.turn = {turn - kPriorityLevel * priority, ticket};
  for (const auto& [limit, count] : request.demand) limit->queue.emplace(request.turn, &request);
}

void Limits::dequeue(Request& request) {
  request.waiting = false;
  for (const auto& [limit, count] : request.demand) {
    limit->queue.erase(request.turn);
    const auto share = limit->shares.find(request.owner);
    if (--share->second.waiting == 0) limit->shares.erase(share);
  }
}

void Limits::release(Ticket ticket) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return;
  const auto request = std::move(found->second);
  requests_.erase(found);
  if (request->waiting) {
    dequeue(*request);
  } else {
    for (const auto& [limit, count] : request->demand)
      if (!limit->rate) limit->used = std::max(0, limit->used - count);
  }
  for (const auto& [limit, count] : request->demand) serve(*limit);
}

bool Limits::can_grant(const Request& request, base::Tick now) const {
  return std::all_of(request.demand.begin(), request.demand.end(), [&](const auto& part) {
    const auto& [limit, count] = part;
    return limit->rate ? limit->rate->can_take(count, now) : limit->used + count <= limit->spec.permits;
  });
}

void Limits::take(Request& request, base::Tick now) {
  for (const auto& [limit, count] : request.demand) {
    if (limit->rate)
      limit->rate->take(count, now);
    else
      limit->used += count;
  }
  request.taken_at = now;
}

bool Limits::waiting(Ticket ticket) const {
  const auto* request = find(ticket);
  return request && request->waiting;
}

// Grants what is first in turn everywhere it waits. The first of all is first in all its queues, so there is no
// deadlock; granting it may make another one first elsewhere, hence the look at the other queues of what was granted.
void Limits::serve(Limit& limit) {
  std::vector<Limit*> to_look_at{&limit};
  while (!to_look_at.empty()) {
    Limit& current = *to_look_at.back();
    Request* request = front(current);
    const bool first_everywhere =
        request && std::all_of(request->demand.begin(), request->demand.end(),
                               [&](const auto& part) { return front(*part.first) == request; });
    const auto now = clock_.tick();
    if (!first_everywhere || !can_grant(*request, now)) {
      if (first_everywhere) wait_for_tokens(*request, now);
      to_look_at.pop_back();
      continue;
    }
    dequeue(*request);
    for (const auto& [other, count] : request->demand) {
      const auto pause = std::min<base::Duration>(std::chrono::duration_cast<base::Duration>(now - other->granted_at),
                                                  kLongestInterval);
      other->interval = (other->interval * 7 + pause) / 8;
      other->granted_at = now;
      if (other != &current) to_look_at.push_back(other);
    }
    take(*request, now);
    // The callback may give the ticket back, so the request is not touched after it.
    const auto granted = std::move(request->granted);
    granted();
  }
}

// The clock brings tokens; permits of semaphores come with release().
void Limits::wait_for_tokens(const Request& request, base::Tick now) {
  for (const auto& [limit, count] : request.demand) {
    if (!limit->rate || front(*limit) != &request || limit->rate->can_take(count, now)) continue;
    if (limit->timer) clock_.cancel(limit->timer);
    limit->timer = clock_.at(limit->rate->ready_at(count, now), [this, limit = limit] {
      limit->timer = 0;
      serve(*limit);
    });
  }
}

void Limits::succeeded(Ticket ticket) {
  const auto* request = find(ticket);
  if (!request || request->waiting) return;
  for (const auto& [limit, count] : request->demand)
    if (limit->rate) limit->rate->on_success(clock_.tick());
}

void Limits::refused(Ticket ticket, std::optional<base::Duration> retry_after) {
  const auto* request = find(ticket);
  if (!request || request->waiting) return;
  for (const auto& [limit, count] : request->demand)
    if (limit->rate) limit->rate->on_refused(request->taken_at, clock_.tick(), retry_after);
}

void Limits::settle(Ticket ticket, const std::string& name, int cost) {
  const auto* request = find(ticket);
  const auto named = limits_.find(name);
  if (!request || request->waiting || named == limits_.end()) return;
  for (const auto& [limit, count] : request->demand)
    if (limit == &named->second && limit->rate) limit->rate->settle(count, cost);
}

Limits::View Limits::view_of(const std::string& name, const Limit& limit) const {
  View view{
      .name = name, .spec = limit.spec, .used = limit.used, .source = limit.source, .waiting = limit.queue.size()};
  if (!limit.rate) return view;
  view.rate = limit.rate->per_second();
  view.paused = std::max(base::Duration(0),
                         std::chrono::duration_cast<base::Duration>(limit.rate->paused_until() - clock_.tick()));
  return view;
}

std::vector<Limits::View> Limits::view() const {
  std::vector<View> views;
  std::unordered_map<const Limit*, std::size_t> positions;
  for (const auto& [name, limit] : limits_) {
    positions[&limit] = views.size();
    views.push_back(view_of(name, limit));
  }
  for (const auto& [ticket, request] : requests_) {
    if (request->waiting) continue;
    for (const auto& [limit, count] : request->demand) {
      auto& holders = views[positions[limit]].holders;
      if (holders.size() < kHoldersShown) holders.emplace_back(request->holder, count);
    }
  }
  return views;
}

std::vector<Limits::View> Limits::missing(Ticket ticket) const {
  const auto* request = find(ticket);
  if (!request || !request->waiting) return {};
  std::vector<View> result;
  for (auto& candidate : view()) {
    const Limit* limit = &limits_.at(candidate.name);
    if (std::any_of(request->demand.begin(), request->demand.end(),
                    [&](const auto& part) { return part.first == limit; }))
      result.push_back(std::move(candidate));
  }
  return result;
}

}  // namespace godwit::engine
