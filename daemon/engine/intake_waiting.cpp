// The part of Intake that is about runs which wait: those that left memory, the signals that wake them, and children.
#include <algorithm>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "engine/countdown.hpp"
#include "engine/intake.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::size_t kWakePage = 512;    // resting runs loaded at once
constexpr std::size_t kWakeAlways = 64;   // so many come back however full memory is: somebody wants them
constexpr auto kWakeAgain = std::chrono::seconds(5);
constexpr std::size_t kSignalPage = 512;  // signals by SQL taken at once
constexpr std::int64_t kDepthMax = 16;    // of children of children

std::int64_t depth_of(const Submitted& run) {
  if (run.options.empty()) return 0;
  const auto options = base::parse_json(run.options).as_object();
  const auto* depth = options.if_contains("depth");
  return depth ? depth->to_number<std::int64_t>() : 0;
}

// A child is as urgent as its parent unless its job says otherwise. It is at work in the places of those that wait for
// it: in a queue of one place it would wait for its parent and its parent for it.
void inherit(const Submitted& parent, json::object& options) {
  json::object above;
  if (!parent.options.empty()) above = base::parse_json(parent.options).as_object();
  if (const auto* priority = above.if_contains("priority")) options.emplace("priority", *priority);
  json::array places;
  if (const auto* given = above.if_contains("places")) places = given->as_array();
  if (const auto* queue = above.if_contains("queue")) places.push_back(*queue);
  if (places.empty()) return;
  const auto* queue = options.if_contains("queue");
  if (queue && std::find(places.begin(), places.end(), *queue) != places.end()) options.erase("queue");
  options["places"] = std::move(places);
}

}  // namespace

void Intake::load_resting() {
  parts_.store.load_resting([this](Result<std::vector<Resting>> resting) {
    if (!resting) return base::log::warning("resting runs were not loaded: {}", resting.error().what());
    for (const auto& run : *resting)
      if (!parts_.runner.find(run.run) && !waking_.contains(run.run)) parts_.sleepers.add(run.run, run.wake_at);
  });
}

void Intake::ended(const Submitted& run, const RunDone& done) {
  looks_.left(run.run);
  parts_.locks.run_ended(run.run);
  parts_.queues.leave(run.run, rank(run));
  if (run.parent && parts_.cluster && !is_here(*run.parent)) parts_.cluster->ring();
  if (run.parent)
    with_run(*run.parent, [this, done](ActiveRun* parent) {
      if (parent) parts_.runner.waits().child_ended(*parent, done);
    });
  wake_some();
  refill();
}

void Intake::withhold(const Submitted& run) {
  expect(run.run);
  parts_.queues.forget(run.run, rank(run));
  displaced_.erase(run.run);
}

void Intake::ended_in_store(const Submitted& run, const RunDone& done) {
  ended(run, done);
  arrived(run.run);
}

// Who has the lock may have lost his own place to this run, as its node died: it comes back when he has ended.
// A place in a crowd is one in memory.
void Intake::rested(const Submitted& run, std::optional<base::Instant> wake_at, bool for_lock) {
  looks_.left(run.run);
  const Rank place = rank(run);
  if (crowds_.contains(run) || (for_lock && parts_.queues.divided(place))) parts_.queues.leave(run.run, place);
  parts_.sleepers.add(run.run, wake_at);
  heap_.left(parts_.runner.runs().empty());
  wake_some();
  refill();
}

void Intake::wake(model::RunId run) {
  parts_.sleepers.remove(run);
  if (!waking_.try_emplace(run).second) return;
  to_wake_.push_back(run);
  wake_some();
}

void Intake::with_run(model::RunId run, std::function<void(ActiveRun*)> work) {
  if (ActiveRun* active = parts_.runner.find(run)) return work(active);
  if (parts_.sleepers.contains(run)) wake(run);
  if (const auto waking = waking_.find(run); waking != waking_.end()) return waking->second.push_back(std::move(work));
  if (const auto entering = entering_.find(run); entering != entering_.end())
    return entering->second.push_back(std::move(work));
  if (refilling_)
    return after_refill_.push_back([this, run, work = std::move(work)] { work(parts_.runner.find(run)); });
  work(nullptr);
}

void Intake::wake_some() {
  if (stopped_ || loading_woken_ || to_wake_.empty()) return;
  const std::size_t room = active_max_ - std::min(active_max_, parts_.runner.runs().size());
  std::vector<model::RunId> wanted;
  while (!to_wake_.empty() && wanted.size() < std::min(kWakePage, std::max(room, kWakeAlways))) {
    wanted.push_back(to_wake_.front());
    to_wake_.pop_front();
  }
  loading_woken_ = true;
  parts_.store.load_runs(wanted, [this, wanted, look = looks_.begin()](Result<std::vector<UnfinishedRun>> loaded) {
    on_woken(wanted, look, std::move(loaded));
  });
}

void Intake::on_woken(std::vector<model::RunId> wanted, const Looks::Look& look,
                      Result<std::vector<UnfinishedRun>> loaded) {
  loading_woken_ = false;
  if (!loaded) {
    base::log::warning("resting runs were not loaded: {}", loaded.error().what());
    for (const auto run : wanted) {
      parts_.sleepers.add(run, parts_.clock.now() + kWakeAgain);
      came_back(run);
    }
    return;
  }
  std::unordered_map<model::RunId, bool> found;
  for (auto& run : *loaded) {
    const model::RunId id = run.run.run;
    if (looks_.is_old(look, id)) continue;
    found[id] = true;
    parts_.store.append({RunRested{id, false, {}}}, [](const Verdict&) {});
    if (const Rank rank = rank_of(run.run); waits_for_place(id) || parts_.queues.lacks_place(id, rank)) {
      wait_for_place(id, rank);
      came_back(id);
      continue;
    }
    bring(std::move(run), look, [this, id](const Result<Nothing>&) { came_back(id); });
  }
  for (const auto run : wanted)
    if (!found.contains(run)) came_back(run);
  let_in();
  wake_some();
}

void Intake::came_back(model::RunId run) {
  const auto waking = waking_.extract(run);
  if (waking.empty()) return;
  for (auto& work : waking.mapped()) work(parts_.runner.find(run));
}

void Intake::deliver(model::RunId run, Signal signal) {
  with_run(run, [this, signal = std::move(signal)](ActiveRun* active) {
    if (active) parts_.runner.waits().signal(*active, signal);
  });
}

void Intake::read_signals() {
  signals_again_ = true;
  if (reading_signals_ || stopped_ || !started_) return;
  reading_signals_ = true;
  signals_again_ = false;
  parts_.store.read_signals(kSignalPage, [this](Result<std::vector<SignalSent>> signals) {
    if (!signals) {
      reading_signals_ = false;
      return base::log::warning("the signals in the inbox were not read: {}", signals.error().what());
    }
    signals_again_ = signals_again_ || signals->size() == kSignalPage;
    const auto countdown = std::make_shared<Countdown>(signals->size() + 1, [this] {
      reading_signals_ = false;
      if (signals_again_) read_signals();
    });
    for (auto& sent : *signals) take_signal(std::move(sent), [countdown] { countdown->arrived(); });
    countdown->arrived();
  });
}

void Intake::take_signal(SignalSent sent, std::function<void()> done) {
  parts_.store.append({sent}, [this, sent, done = std::move(done)](const Verdict& verdict) {
    if (verdict.kind == Verdict::committed) deliver(sent.run, sent.signal);
    done();
  });
}

void Intake::prepare_child(const ActiveRun& parent, const StepTask& task, const std::string& name,
                           Answer<ChildRun> answer) {
  ChildRun child;
  try {
    const std::int64_t below = depth_of(parent.record) + 1;
    if (below > kDepthMax)
      throw base::refused("runs are nested more than " + std::to_string(kDepthMax) + " deep", {},
                          "a job that runs itself needs an end");
    const SubmitRequest request{.job = name};
    const auto accepted = accept(request);
    child.job = accepted.job;
    Submitted& submitted = child.submitted;
    describe(submitted, accepted, base::parse_json(task.request.input).as_object(), request);
    submitted.submitted_by = parent.record.submitted_by;
    submitted.submitted_at = parts_.clock.now();
    submitted.parent = parent.id();
    submitted.parent_path = task.path();
    json::object options;
    if (!submitted.options.empty()) options = base::parse_json(submitted.options).as_object();
    options["depth"] = below;
    inherit(parent.record, options);
    submitted.options = base::serialize(options);
  } catch (const base::Error& error) {
    return parts_.clock.post([answer = std::move(answer), error] { answer(error); });
  }
  allocate(std::move(child), std::move(answer));
}

// A new run, and so one of the newest version of its job; of its own when the library has none.
void Intake::prepare_next(const ActiveRun& run, const std::string& params, Answer<ChildRun> answer) {
  ChildRun next;
  try {
    const Submitted& old = run.record;
    SubmitRequest request{.job = old.job};
    try {
      parts_.library.find(old.job);
    } catch (const base::Error&) {
      request.text = run.job->job().text;
      request.file = run.job->job().file;
    }
    const auto accepted = accept(request);
    next.job = accepted.job;
    Submitted& submitted = next.submitted;
    describe(submitted, accepted, base::parse_json(params).as_object(), request);
    submitted.submitted_by = old.submitted_by;
    submitted.submitted_at = parts_.clock.now();
    json::object options;
    if (!submitted.options.empty()) options = base::parse_json(submitted.options).as_object();
    options["continues"] = model::number(old.run);
    // It stands in the queues where the old one stood, and is as urgent.
    json::object before;
    if (!old.options.empty()) before = base::parse_json(old.options).as_object();
    for (const char* key : {"turn", "queue", "priority", "places"})
      if (const auto* kept = before.if_contains(key)) options[key] = *kept;
    submitted.options = base::serialize(options);
  } catch (const base::Error& error) {
    return parts_.clock.post([answer = std::move(answer), error] { answer(error); });
  }
  allocate(std::move(next), std::move(answer));
}

void Intake::allocate(ChildRun child, Answer<ChildRun> answer) {
  parts_.store.allocate_runs(
      1, [this, child = std::move(child), answer = std::move(answer)](Result<std::vector<model::RunId>> ids) mutable {
        if (!ids) return answer(ids.error());
        child.submitted.run = ids->front();
        child.facts = facts_of(*child.job);
        child.facts.emplace_back(child.submitted);
        answer(std::move(child));
      });
}

}  // namespace godwit::engine
