#include "engine/limits.hpp"

#include <algorithm>

namespace godwit::engine {

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

void Limits::set(const std::string& name, int permits, Source source) {
  auto [position, is_new] = limits_.try_emplace(name);
  Limit& limit = position->second;
  if (!is_new && source < limit.source) return;
  limit.permits = permits;
  limit.source = source;
  serve(limit);
}

int Limits::permits(const std::string& name) const {
  const auto found = limits_.find(name);
  return found == limits_.end() ? 0 : found->second.permits;
}

Limits::Ticket Limits::acquire(const Demand& demand, std::string holder, std::function<void()> granted) {
  const Ticket ticket = ++last_ticket_;
  auto& request = *(requests_[ticket] = std::make_unique<Request>());
  request.holder = std::move(holder);
  request.granted = std::move(granted);
  bool overtakes = false;
  for (const auto& [name, count] : demand) {
    Limit& limit = limits_.at(name);
    request.demand.emplace_back(&limit, count);
    overtakes = overtakes || front(limit) != nullptr;
  }
  if (!overtakes && can_grant(request)) {
    take(request);
    return ticket;
  }
  request.waiting = true;
  for (auto& [limit, count] : request.demand) limit->queue.push_back(&request);
  return ticket;
}

void Limits::release(Ticket ticket) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return;
  const auto request = std::move(found->second);
  requests_.erase(found);
  for (auto& [limit, count] : request->demand) {
    if (!request->waiting) {
      limit->used -= count;
      continue;
    }
    // A hole is cheaper than closing the queue up; front() skips it.
    *std::find(limit->queue.begin(), limit->queue.end(), request.get()) = nullptr;
    ++limit->abandoned;
  }
  for (auto& [limit, count] : request->demand) serve(*limit);
}

Limits::Request* Limits::front(Limit& limit) {
  while (!limit.queue.empty() && limit.queue.front() == nullptr) {
    limit.queue.pop_front();
    --limit.abandoned;
  }
  return limit.queue.empty() ? nullptr : limit.queue.front();
}

bool Limits::can_grant(const Request& request) const {
  return std::all_of(request.demand.begin(), request.demand.end(),
                     [](const auto& part) { return part.first->used + part.second <= part.first->permits; });
}

void Limits::take(Request& request) {
  for (auto& [limit, count] : request.demand) limit->used += count;
  request.waiting = false;
}

bool Limits::waiting(Ticket ticket) const {
  const auto found = requests_.find(ticket);
  return found != requests_.end() && found->second->waiting;
}

// Grants what is first in line everywhere it waits. The oldest request of all is first in all its queues, so there is
// no deadlock; granting it may make another one first elsewhere, hence the look at the other queues of what was
// granted.
void Limits::serve(Limit& limit) {
  std::vector<Limit*> to_look_at{&limit};
  while (!to_look_at.empty()) {
    Limit& current = *to_look_at.back();
    Request* request = front(current);
    const bool first_everywhere =
        request && std::all_of(request->demand.begin(), request->demand.end(),
                               [&](const auto& part) { return front(*part.first) == request; });
    if (!first_everywhere || !can_grant(*request)) {
      to_look_at.pop_back();
      continue;
    }
    for (auto& [other, count] : request->demand) {
      other->queue.pop_front();
      if (other != &current) to_look_at.push_back(other);
    }
    take(*request);
    // The callback may give the ticket back, so the request is not touched after it.
    const auto granted = std::move(request->granted);
    granted();
  }
}

Limits::View Limits::view_of(const std::string& name, const Limit& limit) const {
  View view{name, limit.permits, limit.used, limit.source, limit.queue.size() - limit.abandoned, {}};
  return view;
}

std::vector<Limits::View> Limits::view() const {
  std::vector<View> views;
  std::map<const Limit*, std::size_t> positions;
  for (const auto& [name, limit] : limits_) {
    positions[&limit] = views.size();
    views.push_back(view_of(name, limit));
  }
  for (const auto& [ticket, request] : requests_) {
    if (request->waiting) continue;
    for (const auto& [limit, count] : request->demand) {
      auto& holders = views[positions[limit]].holders;
      if (holders.size() < 20) holders.emplace_back(request->holder, count);
    }
  }
  return views;
}

std::vector<Limits::View> Limits::missing(Ticket ticket) const {
  const auto found = requests_.find(ticket);
  if (found == requests_.end() || !found->second->waiting) return {};
  std::vector<View> result;
  for (auto& candidate : view()) {
    const Limit* limit = &limits_.at(candidate.name);
    const auto& demand = found->second->demand;
    if (std::any_of(demand.begin(), demand.end(), [&](const auto& part) { return part.first == limit; }))
      result.push_back(std::move(candidate));
  }
  return result;
}

}  // namespace godwit::engine
