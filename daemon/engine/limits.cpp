#include "engine/limits.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace godwit::engine {
namespace {

// The pause between grants that is assumed while none was seen, and the longest that counts.
constexpr base::Duration kFirstInterval = std::chrono::milliseconds(10);
constexpr base::Duration kLongestInterval = std::chrono::seconds(10);
// No owner's requests are put further back than this.
constexpr auto kFurthest = std::chrono::minutes(10);
constexpr std::size_t kHoldersShown = 20;
constexpr auto kSweepInterval = std::chrono::seconds(5);

bool is_template(const std::string& name) {
  return name.ends_with(":*");
}

// Permits and rates cannot be compared; one of the two must be the smaller for everybody.
bool is_smaller(const model::LimitSpec& a, const model::LimitSpec& b) {
  if (a.is_rate() != b.is_rate()) return b.is_rate();
  return std::pair(a.rate, a.permits) < std::pair(b.rate, b.permits);
}

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
  if (sweep_timer_) clock_.cancel(sweep_timer_);
  for (auto& [name, limit] : limits_)
    if (limit.timer) clock_.cancel(limit.timer);
}

void Limits::set(const std::string& name, const model::LimitSpec& spec, Source source) {
  auto [position, is_new] = limits_.try_emplace(name);
  Limit& limit = position->second;
  limit.name = &position->first;
  const bool was_key = !limit.key_of.empty();
  if (!is_new && !was_key && source < limit.source) return keep_below(name, spec, source);
  if (!is_new && !was_key && source > limit.source) keep_below(name, limit.spec, limit.source);
  limit.key_of.clear();
  limit.source = source;
  if (!is_new && limit.spec == spec) return;
  apply(limit, spec);
  if (!is_template(name)) return;
  const std::string prefix = name.substr(0, name.size() - 1);
  for (auto key = limits_.lower_bound(prefix); key != limits_.end() && key->first.starts_with(prefix); ++key)
    if (key->second.key_of == name) {
      key->second.source = source;
      apply(key->second, spec);
    }
}

void Limits::keep_below(const std::string& name, const model::LimitSpec& spec, Source source) {
  const auto [below, is_new] = below_.try_emplace(name, source, spec);
  if (!is_new && source >= below->second.first) below->second = {source, spec};
}

Limits::Declaration::Declaration(Declaration&& other) noexcept
    : limits_(std::move(other.limits_)), job_(std::move(other.job_)), names_(std::exchange(other.names_, {})) {}

Limits::Declaration& Limits::Declaration::operator=(Declaration&& other) noexcept {
  std::swap(limits_, other.limits_);
  std::swap(job_, other.job_);
  std::swap(names_, other.names_);
  return *this;
}

Limits::Declaration::~Declaration() {
  if (names_.empty()) return;
  if (const auto limits = limits_.lock()) (*limits)->withdraw(job_, names_);
}

Limits::Declaration Limits::declare(const std::string& job, const Words& words) {
  Declaration declaration;
  if (words.empty()) return declaration;
  declaration.limits_ = self_;
  declaration.job_ = job;
  for (const auto& [name, spec] : words) {
    Word& word = words_[name][job];
    word.spec = spec;
    ++word.declarations;
    declaration.names_.push_back(name);
    set(name, *smallest_word(name, job, nullptr), Source::job);
  }
  return declaration;
}

// A limit keeps its numbers when nobody has a word on it any more: rates remember.
void Limits::withdraw(const std::string& job, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const auto words = words_.find(name);
    const auto word = words->second.find(job);
    if (--word->second.declarations > 0) continue;
    words->second.erase(word);
    if (words->second.empty()) {
      words_.erase(words);
      continue;
    }
    // Whoever gives a word back is in the middle of something, and a limit that grows lets others begin.
    clock_.post([self = std::weak_ptr<Limits*>(self_), name] {
      const auto limits = self.lock();
      if (!limits) return;
      if (const auto spec = (*limits)->smallest_word(name, {}, nullptr)) (*limits)->set(name, *spec, Source::job);
    });
  }
}

std::optional<model::LimitSpec> Limits::smallest_word(const std::string& name, const std::string& job,
                                                      const model::LimitSpec* own) const {
  std::optional<model::LimitSpec> smallest;
  if (own) smallest = *own;
  const auto words = words_.find(name);
  if (words == words_.end()) return smallest;
  for (const auto& [who, word] : words->second)
    if (!(own && who == job) && (!smallest || is_smaller(word.spec, *smallest))) smallest = word.spec;
  return smallest;
}

void Limits::take(const LimitSet& said) {
  said.removed ? unset(said.name) : set(said.name, said.spec, Source::operator_);
}

bool Limits::set_by_operator(const std::string& name) const {
  const auto found = limits_.find(name);
  return found != limits_.end() && found->second.key_of.empty() && found->second.source == Source::operator_;
}

void Limits::unset(const std::string& name) {
  if (!set_by_operator(name)) return;
  const auto found = limits_.find(name);
  Limit& limit = found->second;
  if (const auto below = below_.extract(name)) {
    const auto& [source, spec] = below.mapped();
    limit.source = source;
    return set(name, spec, source);
  }
  limit.source = Source::job;  // from here on everybody's word counts
  const std::string parent = template_of(name);
  if (const auto numbers = limits_.find(parent); numbers != limits_.end() && parent != name) {
    limit.key_of = parent;
    limit.source = numbers->second.source;
    apply(limit, numbers->second.spec);
    return fade(limit);
  }
  const bool asked = limit.requests > 0 || (is_template(name) && view_of(name, limit).keys > 0);
  if (asked) return;
  if (limit.timer) clock_.cancel(limit.timer);
  limits_.erase(found);
}

void Limits::apply(Limit& limit, const model::LimitSpec& spec) {
  const bool new_kind = limit.spec.is_rate() != spec.is_rate();
  limit.spec = spec;
  if (!spec.is_rate()) limit.rate.reset();
  if (new_kind || shared_ != limit.quota.has_value())
    limit.quota = shared_ ? std::optional(QuotaGrant{}) : std::nullopt;
  apply_quota(limit, limit.quota);
}

std::string Limits::template_of(const std::string& name) {
  const auto colon = name.find(':');
  return colon == std::string::npos ? std::string() : name.substr(0, colon + 1) + "*";
}

const model::LimitSpec* Limits::spec(const std::string& name) const {
  auto found = limits_.find(name);
  if (found == limits_.end()) found = limits_.find(template_of(name));
  return found == limits_.end() ? nullptr : &found->second.spec;
}

std::optional<model::LimitSpec> Limits::spec_with(const std::string& name, const std::string& job,
                                                  const Words& words) const {
  auto found = limits_.find(name);
  if (found == limits_.end()) found = limits_.find(template_of(name));
  auto word = words.find(name);
  if (word == words.end()) word = words.find(template_of(name));
  const bool decided = found != limits_.end() && found->second.source != Source::job;
  if (word != words.end() && !decided) return smallest_word(word->first, job, &word->second);
  return found == limits_.end() ? std::nullopt : std::optional(found->second.spec);
}

void Limits::check(const std::string& name, int count, const model::LimitSpec* numbers) {
  if (!numbers)
    throw base::refused(
        "unknown limit '" + name + "'", {},
        "declare it under `limits` of the job or of the daemon's settings, or by `godwit limit set " + name + " N`");
  if (!numbers->is_rate() && numbers->permits > 0 && count > numbers->permits)
    throw base::refused("asks for " + std::to_string(count) + " permits of limit '" + name + "', which has " +
                            std::to_string(numbers->permits),
                        {}, "it could never start");
}

void Limits::check_step(const std::string& name, int count, const Words& own) const {
  const auto* numbers = spec(name);
  auto word = own.find(name);
  if (word == own.end()) word = own.find(template_of(name));
  const bool by_itself = word == own.end() || (!word->second.is_rate() && count > word->second.permits);
  const bool by_operator = set_by_operator(name) || set_by_operator(template_of(name));
  if (!numbers || (by_itself && !by_operator)) check(name, count, numbers);
}

Limits::Limit& Limits::limit_of(const std::string& name) {
  if (const auto found = limits_.find(name); found != limits_.end()) return found->second;
  const std::string parent = template_of(name);
  const auto& numbers = limits_.at(parent);
  const auto position = limits_.try_emplace(name).first;
  Limit& limit = position->second;
  limit.name = &position->first;
  limit.key_of = parent;
  limit.source = numbers.source;
  apply(limit, numbers.spec);
  return limit;
}

// A rate remembers what was taken of it and what it learned; a semaphore nothing.
void Limits::fade(Limit& limit) {
  if (limit.key_of.empty() || limit.requests > 0) return;
  if (!sweep_timer_)
    sweep_timer_ = clock_.at(clock_.tick() + (limit.rate ? kSweepInterval : base::Duration(0)), [this] { sweep(); });
}

void Limits::sweep() {
  sweep_timer_ = 0;
  bool more = false;
  const auto now = clock_.tick();
  for (auto key = limits_.begin(); key != limits_.end();) {
    Limit& limit = key->second;
    const bool unused = !limit.key_of.empty() && limit.requests == 0;
    if (!unused || (limit.rate && !limit.rate->idle(now))) {
      more = more || unused;
      ++key;
      continue;
    }
    if (limit.timer) clock_.cancel(limit.timer);
    key = limits_.erase(key);
  }
  if (more) sweep_timer_ = clock_.at(now + kSweepInterval, [this] { sweep(); });
}

Limits::Request* Limits::find(Ticket ticket) {
  const auto place = place_of(ticket);
  if (ticket == 0 || place >= requests_.size() || requests_[place].ticket != ticket) return nullptr;
  return &requests_[place];
}

const Limits::Request* Limits::find(Ticket ticket) const {
  return const_cast<Limits*>(this)->find(ticket);
}

Limits::Request& Limits::open(const Demand& demand, std::string_view holder, std::uint64_t owner) {
  std::size_t place = requests_.size();
  if (free_places_.empty()) {
    requests_.emplace_back();
  } else {
    place = free_places_.back();
    free_places_.pop_back();
  }
  Request& request = requests_[place];
  request.ticket = (++last_number_ << kPlaceBits) | place;
  request.holder = holder;
  request.owner = owner;
  request.asked_at = clock_.tick();
  for (const auto& [name, count] : demand) {
    Limit& limit = limit_of(name);
    ++limit.requests;
    request.demand.push_back({&limit, count, count});
  }
  return request;
}

// Whether nobody was before and all was there.
bool Limits::take_at_once(Request& request) {
  for (const auto& part : request.demand)
    if (!part.limit->queue.empty()) return false;
  if (!can_grant(request, request.asked_at)) return false;
  take(request, request.asked_at);
  return true;
}

void Limits::wait(Request& request, int priority) {
  const bool overtakes = std::any_of(request.demand.begin(), request.demand.end(),
                                     [](const auto& part) { return !part.limit->queue.empty(); });
  enqueue(request, priority, request.asked_at);
  wait_for_tokens(request, request.asked_at);
  note_shortage(request);
  // With priority it may be the first of all and have what it needs.
  if (overtakes && front(*request.demand.front().limit) == &request)
    clock_.post([this, ticket = request.ticket] {
      if (const Request* waiting = find(ticket); waiting && waiting->waiting) serve(*waiting->demand.front().limit);
    });
}

void Limits::enqueue(Request& request, int priority, base::Tick now) {
  request.waiting = true;
  auto turn = now;
  for (const auto& [limit, count, settled] : request.demand)
    if (const auto share = limit->shares.find(request.owner); request.owner != 0 && share != limit->shares.end())
      turn = std::clamp(share->second.next, turn, now + kFurthest);
  for (const auto& [limit, count, settled] : request.demand) {
    auto& share = limit->shares[request.owner];
    ++share.waiting;
    const auto interval = limit->interval.count() > 0 ? limit->interval : kFirstInterval;
    share.next = turn + interval * static_cast<std::int64_t>(limit->shares.size());
  }
  request.turn = {turn_of(turn, priority), request.ticket};
  for (const auto& [limit, count, settled] : request.demand) limit->queue.emplace(request.turn, &request);
}

void Limits::dequeue(Request& request) {
  request.waiting = false;
  for (const auto& [limit, count, settled] : request.demand) {
    limit->queue.erase(request.turn);
    const auto share = limit->shares.find(request.owner);
    if (--share->second.waiting == 0) limit->shares.erase(share);
  }
}

void Limits::release(Ticket ticket) {
  Request* request = find(ticket);
  if (!request) return;
  // Nobody finds it from here on, but its place is its own until all are served: they may ask for something.
  request->ticket = 0;
  if (request->waiting) {
    dequeue(*request);
  } else {
    for (const auto& [limit, count, settled] : request->demand)
      if (!limit->rate) limit->used = std::max(0, limit->used - count);
  }
  for (const auto& [limit, count, settled] : request->demand) {
    --limit->requests;
    serve(*limit);
    fade(*limit);
  }
  request->demand.clear();
  request->granted = nullptr;
  free_places_.push_back(place_of(ticket));
}

bool Limits::can_grant(const Request& request, base::Tick now) const {
  return std::all_of(request.demand.begin(), request.demand.end(), [&](const auto& part) {
    const auto& [limit, count, settled] = part;
    if (limit->quota && limit->quota->usable() <= 0) return false;
    if (limit->rate) return limit->rate->can_take(count, now);
    const std::int64_t most =
        limit->quota ? std::min<std::int64_t>(limit->spec.permits, limit->quota->usable()) : limit->spec.permits;
    return limit->used + count <= most;
  });
}

void Limits::take(Request& request, base::Tick now) {
  for (const auto& [limit, count, settled] : request.demand) {
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
  if (limit.queue.empty()) return;
  std::vector<Limit*> to_look_at{&limit};
  while (!to_look_at.empty()) {
    Limit& current = *to_look_at.back();
    Request* request = front(current);
    const bool first_everywhere =
        request && std::all_of(request->demand.begin(), request->demand.end(),
                               [&](const auto& part) { return front(*part.limit) == request; });
    const auto now = clock_.tick();
    if (!first_everywhere || !can_grant(*request, now)) {
      if (first_everywhere) wait_for_tokens(*request, now);
      to_look_at.pop_back();
      continue;
    }
    dequeue(*request);
    for (const auto& [other, count, settled] : request->demand) {
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
  for (const auto& [limit, count, settled] : request.demand) {
    if (!limit->rate || front(*limit) != &request || (limit->quota && limit->quota->usable() <= 0)) continue;
    if (limit->rate->can_take(count, now)) continue;
    if (limit->timer) clock_.cancel(limit->timer);
    limit->timer = clock_.at(limit->rate->ready_at(count, now), [this, lacked = limit] {
      lacked->timer = 0;
      serve(*lacked);
    });
  }
}

void Limits::succeeded(Ticket ticket) {
  const auto* request = find(ticket);
  if (!request || request->waiting) return;
  for (const auto& [limit, count, settled] : request->demand)
    if (limit->rate) limit->rate->on_success({request->taken_at, count}, clock_.tick());
}

void Limits::refused(Ticket ticket, std::optional<base::Duration> retry_after) {
  const auto* request = find(ticket);
  if (!request || request->waiting) return;
  for (const auto& [limit, count, settled] : request->demand)
    if (limit->rate) limit->rate->on_refused({request->taken_at, count}, clock_.tick(), retry_after);
}

void Limits::settle(Ticket ticket, const std::string& name, int cost) {
  auto* request = find(ticket);
  const auto named = limits_.find(name);
  if (!request || request->waiting || named == limits_.end()) return;
  for (auto& part : request->demand) {
    if (part.limit != &named->second || !part.limit->rate) continue;
    part.limit->rate->settle(std::exchange(part.settled, cost), cost);
    serve(*part.limit);
  }
}

void Limits::quota(Ticket ticket, const std::string& name, const model::Quota& quota) {
  const auto* request = find(ticket);
  const auto named = limits_.find(name);
  if (!request || request->waiting || (!name.empty() && named == limits_.end())) return;
  for (const auto& part : request->demand) {
    if (!part.limit->rate || (!name.empty() && part.limit != &named->second)) continue;
    part.limit->rate->on_quota(quota, clock_.tick());
    serve(*part.limit);
  }
}

Limits::View Limits::view_of(const std::string& name, const Limit& limit) const {
  View view{.name = name,
            .spec = limit.spec,
            .used = limit.used,
            .source = limit.source,
            .waiting = limit.queue.size(),
            .key_of = limit.key_of};
  if (is_template(name)) {
    const std::string prefix = name.substr(0, name.size() - 1);
    for (auto key = limits_.lower_bound(prefix); key != limits_.end() && key->first.starts_with(prefix); ++key)
      if (key->second.key_of == name) ++view.keys;
  }
  if (limit.quota) view.quota = limit.quota->usable();
  if (!limit.rate) return view;
  const Rate& rate = *limit.rate;
  const auto now = clock_.tick();
  const auto left = [&](base::Tick until) {
    return std::max(base::Duration(0), std::chrono::duration_cast<base::Duration>(until - now));
  };
  view.rate = rate.per_second(now);
  view.paused = left(rate.paused_until());
  if (view.paused.count() > 0) {
    view.why = "the other side asked for a pause";
    view.until = view.paused;
  } else if (view.rate < limit.spec.rate && now < rate.quota_until() && view.rate < rate.learned_rate()) {
    view.why = "the other side said how much it lets through until it counts anew";
    view.until = left(rate.quota_until());
  } else if (rate.learned()) {
    view.why = rate.holds() ? "refused by the other side; stays until enough has gone well"
                            : "refused by the other side; feels its way up";
  }
  return view;
}

// To the views that `view_of_limit` has.
template <typename Find>
void Limits::add_holders(Find view_of_limit) const {
  for (const auto& request : requests_) {
    if (request.ticket == 0 || request.waiting) continue;
    for (const auto& part : request.demand)
      if (View* view = view_of_limit(part.limit); view && view->holders.size() < kHoldersShown)
        view->holders.emplace_back(request.holder, part.count);
  }
}

std::vector<Limits::View> Limits::view() const {
  std::vector<View> views;
  std::unordered_map<const Limit*, std::size_t> positions;
  for (const auto& [name, limit] : limits_) {
    positions[&limit] = views.size();
    views.push_back(view_of(name, limit));
  }
  add_holders([&](const Limit* limit) { return &views[positions.at(limit)]; });
  return views;
}

// There may be very many limits, one for each key; those that are wanted are few.
std::vector<Limits::View> Limits::missing(Ticket ticket) const {
  const auto* wanting = find(ticket);
  if (!wanting || !wanting->waiting) return {};
  std::map<const Limit*, View> views;
  for (const auto& part : wanting->demand) {
    View& view = views.try_emplace(part.limit, view_of(*part.limit->name, *part.limit)).first->second;
    if (view.spec.is_rate()) continue;
    const Request& first = part.count > view.spec.permits ? *wanting : *front(*part.limit);
    if (const int count = count_of(first, *part.limit); count > view.spec.permits) view.too_many = count;
    if (view.too_many > 0 && &first != wanting) view.before = first.holder;
  }
  add_holders([&](const Limit* limit) {
    const auto wanted = views.find(limit);
    return wanted == views.end() ? nullptr : &wanted->second;
  });
  std::vector<View> result;
  for (auto& [limit, view] : views) result.push_back(std::move(view));
  std::sort(result.begin(), result.end(), [](const View& a, const View& b) { return a.name < b.name; });
  return result;
}

}  // namespace godwit::engine
