#include "engine/engine.hpp"

#include "base/log.hpp"
#include "engine/followers.hpp"
#include "engine/interventions.hpp"
#include "engine/migrations.hpp"
#include "engine/nodes.hpp"
#include "engine/progress.hpp"
#include "engine/scheduler.hpp"
#include "engine/sleepers.hpp"

namespace godwit::engine {

namespace json = base::json;

class Engine::Impl {
 public:
  Impl(EngineSettings settings, Store& store, StepRunner& steps, Clock& clock, jobfile::Library& library,
       std::function<void()> fenced)
      : store_(store),
        clock_(clock),
        scripts_(settings.scripts),
        limits_(clock),
        breakers_(clock, settings.breakers),
        locks_(store, clock, settings.locks_looked_every),
        jobs_(store, library, settings.scripts),
        sleepers_(clock, [this](model::RunId run) { intake_.wake(run); }),
        runner_({store, steps, clock, limits_, breakers_, followers_, locks_, settings.cluster ? &settings.cluster->lease() : nullptr},
                {settings.steps_in_flight_max, settings.active_runs_max, settings.seed}, hooks(fenced)),
        intake_({store, steps, clock, limits_, library, jobs_, runner_, sleepers_, locks_, queues_, settings.cluster, settings.labels},
                settings.active_runs_max),
        interventions_({store, clock, limits_, queues_, breakers_, jobs_, runner_, intake_, [this] { nodes_.tell_others(); },
                        [this] { nodes_.mailed(); }}),
        scheduler_({store, clock, library, intake_, [this](model::RunId run, Caller caller, Answer<Nothing> answer) {
                      change(run, {"cancel", std::move(caller), {}}, std::move(answer));
                    },
                    [this] { nodes_.tell_others(); }}),
        migrations_({store, steps, clock, jobs_, library, runner_, intake_}),
        orders_(interventions_, migrations_),
        nodes_({settings.cluster, store, steps, clock, limits_, queues_, runner_, intake_, orders_,
                [this](bool draining) { set_draining(draining); }, [this] { refresh(); },
                [this](model::RunId run, std::function<void()> done) { interventions_.cancel_waiting(run, std::move(done)); },
                std::move(fenced)}) {
    for (const auto& [name, spec] : settings.limits) limits_.set(name, spec, Limits::Source::config);
    for (const auto& [name, spec] : settings.queues) queues_.set(name, spec);
  }

  void start(std::function<void()> ready) {
    store_.load_limits([this, ready = std::move(ready)](Result<std::vector<LimitSet>> set) {
      if (set)
        for (const auto& limit : *set) limits_.take(limit);
      else
        base::log::warning("the limits that operators set were not loaded: {}", set.error().what());
      nodes_.start([this, ready] {
        load_queues([this, ready] {
          intake_.start([this, ready] {
            ready_ = true;
            locks_.start([this](model::RunId run, bool news) {
              intake_.with_run(run, [this, run, news](ActiveRun* active) {
                if (active)
                  runner_.ask_for_locks(*active);
                else if (news)
                  nodes_.tell(run);
              });
            });
            if (!draining_) scheduler_.start();
            ready();
          });
        });
      });
    });
  }

  // Has an order done where the run is.
  void change(model::RunId run, Order order, Answer<Nothing> answer) {
    nodes_.send(run, std::move(order), [answer = std::move(answer)](const Result<json::value>& done) {
      done ? answer(Nothing{}) : answer(done.error());
    });
  }
  void look(model::RunId run, Order order, Answer<json::object> answer) {
    nodes_.send(run, std::move(order), [answer = std::move(answer)](Result<json::value> shown) {
      shown ? answer(std::move(shown->as_object())) : answer(shown.error());
    });
  }

  void set_draining(bool draining) {
    draining_ = draining;
    if (ready_) draining ? scheduler_.stop() : scheduler_.start();
    intake_.set_draining(draining);
  }

  // What an operator changed at another node.
  void refresh() {
    if (!ready_) return;
    scheduler_.refresh();
    const auto seen = interventions_.changes();
    store_.load_limits([this, seen](const Result<std::vector<LimitSet>>& set) {
      if (!set || interventions_.changes() != seen) return;
      for (const auto& limit : *set) limits_.take(limit);
    });
    store_.load_queues([this, seen](const Result<std::vector<QueueSet>>& paused) {
      if (!paused || interventions_.changes() != seen) return;
      take_pauses(*paused);
      intake_.queues_changed();
    });
  }
  void take_pauses(const std::vector<QueueSet>& paused) {
    std::map<std::string, Queues::Pause> pauses;
    for (const auto& queue : paused) pauses[queue.name] = {queue.who, queue.at};
    queues_.set_pauses(pauses);
  }

  // Of a run that is another node's only its end is heard of here, by asking for it.
  void follow_elsewhere(model::RunId run) {
    clock_.at(clock_.tick() + kFollowPause, [this, run] {
      if (!followers_.watched(run, Interest::states)) return;
      if (!nodes_.may_be_elsewhere(run)) return follow_elsewhere(run);
      store_.load_run(run, [this, run](const Result<UnfinishedRun>& stored) {
        if (stored && stored->ended)
          return followers_.tell(run, Interest::states, {{"event", "state"},
                                       {"run", model::number(run)},
                                       {"state", model::name(*stored->ended)}});
        follow_elsewhere(run);
      });
    });
  }

  void load_queues(std::function<void()> done) {
    store_.load_queues([this, done = std::move(done)](Result<std::vector<QueueSet>> paused) {
      if (!paused) base::log::warning("which queues are paused was not loaded: {}", paused.error().what());
      if (paused) take_pauses(*paused);
      done();
    });
  }

  json::object status() const {
    json::object by_state;
    for (const auto& info : model::kRunStates)
      if (!info.terminal) by_state[json::string_view(info.name.data(), info.name.size())] = 0;
    for (const auto& [id, run] : runner_.runs()) {
      const auto name = model::name(run->state());
      auto& count = by_state[json::string_view(name.data(), name.size())];
      count = count.as_int64() + 1;
    }
    return {{"ready", ready_},
            {"runs_in_memory", runner_.runs().size()},
            {"runs_by_state", std::move(by_state)},
            {"runs_resting", sleepers_.size()},
            {"more_in_store", intake_.backlog()},
            {"runs_in_queues", queues_.waiting()},
            {"steps_in_flight", runner_.in_flight()},
            {"steps_done", runner_.steps_done()},
            {"runs_submitted", intake_.submitted()},
            {"runs_ended", ended_},
            {"nodes", nodes_.status()}};
  }

  static constexpr auto kFollowPause = std::chrono::milliseconds(500);

  Store& store_;
  Clock& clock_;
  Scripts* scripts_;
  Limits limits_;
  Breakers breakers_;
  Queues queues_;
  Followers followers_;
  Locks locks_;
  JobCache jobs_;
  Sleepers sleepers_;
  Runner runner_;
  Intake intake_;
  Interventions interventions_;
  Scheduler scheduler_;
  Migrations migrations_;
  Orders orders_;
  Nodes nodes_;

 private:
  Runner::Hooks hooks(std::function<void()> fenced) {
    return {
        .ended =
            [this](ActiveRun& run, const RunDone& done) {
              ++ended_;
              intake_.ended(run.record, done);
            },
        .rested = [this](ActiveRun& run, std::optional<base::Instant> wake_at,
                         bool for_lock) { intake_.rested(run.record, wake_at, for_lock); },
        .left = [this](const Submitted& run) { intake_.gave_away(run); },
        .is_here = [this](model::RunId run) { return !nodes_.may_be_elsewhere(run); },
        .has_begun = [this] { intake_.refill(); },
        .fenced = std::move(fenced),
        .cancel =
            [this](model::RunId run, const ActiveRun& newer) {
              change(run, {"cancel", Caller{0, "run " + model::text(newer.id()), {}}, {}}, [](const Result<Nothing>&) {});
            },
        .children = {.prepare =
                         [this](const ActiveRun& parent, const StepTask& task, const std::string& job,
                                Answer<ChildRun> answer) {
                           intake_.prepare_child(parent, task, job, std::move(answer));
                         },
                     .admit = [this](ChildRun child) { intake_.admit(std::move(child.submitted), child.job); },
                     .prepare_next =
                         [this](const ActiveRun& run, const std::string& params, Answer<ChildRun> answer) {
                           intake_.prepare_next(run, params, std::move(answer));
                         },
                     .cancel = [this](model::RunId child,
                                      model::RunId parent) { interventions_.cancel_child(child, parent); }}};
  }
  std::uint64_t ended_ = 0;
  bool draining_ = false;
  bool ready_ = false;  // the unfinished runs of earlier lives are at work again, as far as there is room
};

Engine::Engine(EngineSettings settings, Store& store, StepRunner& runner, Clock& clock, jobfile::Library& library,
               std::function<void()> fenced)
    : impl_(std::make_unique<Impl>(std::move(settings), store, runner, clock, library, std::move(fenced))) {}
Engine::~Engine() = default;

void Engine::start(std::function<void()> ready) {
  impl_->start(std::move(ready));
}

void Engine::drain(std::function<void()> drained) {
  impl_->nodes_.stop();
  impl_->scheduler_.stop();
  impl_->locks_.stop();
  impl_->intake_.stop();
  impl_->runner_.drain(std::move(drained));
}

void Engine::submit(SubmitRequest request, Caller caller, Answer<SubmitReceipt> answer) {
  impl_->intake_.submit(std::move(request), std::move(caller), std::move(answer));
}

void Engine::submit_many(SubmitRequest request, std::vector<json::object> params, Caller caller,
                         Answer<std::vector<model::RunId>> answer) {
  impl_->intake_.submit_many(std::move(request), std::move(params), std::move(caller), std::move(answer));
}

void Engine::cancel(model::RunId run, Caller caller, Answer<Nothing> answer) {
  impl_->change(run, {"cancel", std::move(caller), {}}, std::move(answer));
}
void Engine::pause(model::RunId run, Caller caller, Answer<Nothing> answer) {
  impl_->change(run, {"pause", std::move(caller), {}}, std::move(answer));
}
void Engine::resume(model::RunId run, Caller caller, Answer<Nothing> answer) {
  impl_->change(run, {"resume", std::move(caller), {}}, std::move(answer));
}
void Engine::retry(model::RunId run, Retry how, Caller caller, Answer<model::RunId> answer) {
  Order order{"retry", std::move(caller), {{"from", how.from}, {"set", json::value_from(how.set)}, {"skip", json::value_from(how.skip)}}};
  impl_->nodes_.send(run, std::move(order), [answer = std::move(answer)](const Result<json::value>& done) {
    done ? answer(model::RunId(done->to_number<std::int64_t>())) : answer(done.error());
  });
}
void Engine::signal(model::RunId run, std::string name, std::string payload, Caller caller, Answer<Nothing> answer) {
  impl_->change(run, {"signal", std::move(caller), {{"name", std::move(name)}, {"payload", std::move(payload)}}},
                std::move(answer));
}
void Engine::approve(model::RunId run, Decision decision, Caller caller, Answer<Nothing> answer) {
  impl_->change(run,
                {"approve",
                 std::move(caller),
                 {{"step", decision.step}, {"approved", decision.approved}, {"comment", decision.comment}}},
                std::move(answer));
}
void Engine::migrate(model::RunId run, std::string to, bool dry, Caller caller, Answer<json::object> answer) {
  impl_->look(run, {"migrate", std::move(caller), {{"to", std::move(to)}, {"dry", dry}}}, std::move(answer));
}
void Engine::why(model::RunId run, Answer<json::object> answer) {
  impl_->look(run, {"why", {}, {}}, std::move(answer));
}

json::object Engine::live(model::RunId run) const {
  const ActiveRun* active = impl_->runner_.find(run);
  return active ? live_view(*active) : json::object();
}

std::vector<std::string> Engine::under_way(std::size_t most) const {
  std::vector<std::string> steps;
  for (const auto& [id, run] : impl_->runner_.runs())
    for (const auto& [number, task] : run->tasks) {
      if (steps.size() == most) return steps;
      if (!task->is_idle()) steps.push_back("step " + task->path() + " of run " + model::text(id));
    }
  return steps;
}

std::uint64_t Engine::follow(model::RunId run, Interest interest, Follower follower) {
  if (impl_->nodes_.may_be_elsewhere(run)) impl_->follow_elsewhere(run);
  return impl_->followers_.add(run, interest, std::move(follower));
}
void Engine::unfollow(std::uint64_t number) {
  impl_->followers_.remove(number);
}

json::array Engine::limits() const {
  json::array out;
  for (const auto& limit : impl_->limits_.view()) {
    json::array holders;
    for (const auto& [holder, permits] : limit.holders)
      holders.push_back(json::object{{"step", holder}, {"permits", permits}});
    json::object shown{{"name", limit.name},
                       {"limit", model::format_limit(limit.spec)},
                       {"permits", limit.spec.permits},
                       {"used", limit.used},
                       {"waiting", limit.waiting},
                       {"source", Limits::name(limit.source)},
                       {"holders", std::move(holders)}};
    if (limit.spec.is_rate()) shown["rate"] = limit.rate;
    if (limit.paused.count() > 0) shown["paused"] = base::format_duration(limit.paused);
    if (!limit.key_of.empty()) shown["key_of"] = limit.key_of;
    if (limit.name.ends_with(":*")) shown["keys"] = limit.keys;
    if (!limit.why.empty()) shown["why"] = limit.why;
    if (limit.until.count() > 0)
      shown["until"] = base::format_instant(impl_->clock_.now() + limit.until);
    out.push_back(std::move(shown));
  }
  return out;
}

void Engine::set_limit(std::string name, std::optional<model::LimitSpec> spec, Caller caller, Answer<Nothing> answer) {
  impl_->interventions_.set_limit(std::move(name), spec, std::move(caller), std::move(answer));
}

json::array Engine::breakers() const {
  return impl_->breakers_.view();
}

json::array Engine::queues() const {
  return impl_->queues_.view();
}

void Engine::pause_queue(std::string name, bool paused, Caller caller, Answer<Nothing> answer) {
  impl_->interventions_.pause_queue(std::move(name), paused, std::move(caller), std::move(answer));
}

Scheduler& Engine::schedules() {
  return impl_->scheduler_;
}

std::vector<base::Error::Problem> Engine::check(const model::Job& job) const {
  return impl_->intake_.problems(CompiledJob(std::make_shared<const model::Job>(job), impl_->scripts_));
}

json::object Engine::status() const {
  return impl_->status();
}

}  // namespace godwit::engine
