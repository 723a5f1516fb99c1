// The part of Interventions that sends something to a step which waits.
#include <algorithm>

#include "base/json_text.hpp"
#include "engine/interventions.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

bool may_decide(const std::vector<std::string>& who, const Caller& caller) {
  if (who.empty()) return true;
  constexpr std::string_view kRole = "role:";
  return std::any_of(who.begin(), who.end(), [&](const std::string& entry) {
    if (!entry.starts_with(kRole)) return entry == caller.name;
    return std::find(caller.roles.begin(), caller.roles.end(), entry.substr(kRole.size())) != caller.roles.end();
  });
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Who may decide on the approval that waits under this path; throws an Error that says what there is. A script that was
// just woken may not have come to its approval again: what an earlier life opened waits all the same.
std::vector<std::string> find_approval(const ActiveRun& run, const std::string& path) {
  std::vector<std::string> open;
  const auto found = [&](const WaitOpened& wait) {
    if (wait.kind != WaitKind::approval) return false;
    if (wait.path == path) return true;
    open.push_back(wait.path);
    return false;
  };
  const auto who = [](const WaitOpened& wait) {
    return json::value_to<std::vector<std::string>>(base::parse_json(wait.detail).at("who"));
  };
  for (const auto& [number, task] : run.tasks)
    if (task->phase == StepTask::Phase::waiting && found(*task->wait)) return who(*task->wait);
  for (const auto& [known, wait] : run.waits)
    if (found(wait.opened)) return who(wait.opened);
  std::sort(open.begin(), open.end());
  throw base::not_found("run " + model::text(run.id()) + " has no step '" + path + "' that waits for approval",
                        open.empty() ? "none of its steps does" : "these wait: " + list_of(open));
}

}  // namespace

void Interventions::signal(model::RunId run, std::string name, std::string payload, Caller caller,
                           Answer<Nothing> answer) {
  std::string why;
  if (name.starts_with(Waits::kApproval))
    return answer(base::refused("a signal named '" + name + "' would be a decision on a step", {},
                                "`godwit approve` decides, for those who may"));
  if (!base::is_json(payload, &why))
    return answer(base::refused("the payload of the signal cannot be used: " + why, {.path = "payload"}));
  const Signal signal{0, std::move(name), std::move(payload), caller.name, parts_.clock.now()};
  const Audited audited = audit(caller, "run.signal", model::text(run), {{"name", signal.name}});
  parts_.intake.with_run(run, [this, run, signal, audited, answer = std::move(answer)](ActiveRun* active) {
    if (active && !active->ending) return send(run, signal, audited, answer);
    check_waiting(run, [this, run, signal, audited, answer](const Result<Nothing>& known) {
      known ? send(run, signal, audited, answer) : answer(known.error());
    });
  });
}

void Interventions::approve(model::RunId run, Engine::Decision decision, Caller caller, Answer<Nothing> answer) {
  parts_.intake.with_run(run, [this, run, decision = std::move(decision), caller = std::move(caller),
                               answer = std::move(answer)](ActiveRun* active) {
    if (!active)
      return check_waiting(run, [run, answer](const Result<Nothing>& known) {
        answer(known ? base::refused("run " + model::text(run) + " is not at work yet: none of its steps waits")
                     : known.error());
      });
    try {
      const auto who = find_approval(*active, decision.step);
      if (!may_decide(who, caller))
        throw base::Error(
            base::ErrorKind::denied,
            "user '" + caller.name + "' may not decide on step '" + decision.step + "' of run " + model::text(run), {},
            "these may: " + list_of(who));
    } catch (const base::Error& error) {
      return answer(error);
    }
    const json::object payload{{"approved", decision.approved}, {"comment", decision.comment}};
    json::object detail = payload;
    detail["step"] = decision.step;
    send(run, Signal{0, Waits::approval_name(decision.step), base::serialize(payload), caller.name, parts_.clock.now()},
         audit(caller, "run.approve", model::text(run), std::move(detail)), answer);
  });
}

void Interventions::send(model::RunId run, Signal signal, Audited audited, Answer<Nothing> answer) {
  // Numbers of signals are of the same sequence as those of runs: unique within the store, and at hand.
  parts_.store.allocate_runs(1, [this, run, signal = std::move(signal), audited = std::move(audited),
                                 answer = std::move(answer)](Result<std::vector<model::RunId>> numbers) mutable {
    if (!numbers) return answer(numbers.error());
    signal.number = model::number(numbers->front());
    std::vector<Fact> facts;
    facts.emplace_back(SignalSent{run, signal});
    facts.emplace_back(std::move(audited));
    parts_.store.append(std::move(facts),
                        [this, run, signal = std::move(signal), answer = std::move(answer)](const Verdict& verdict) {
                          if (verdict.kind != Verdict::committed) return answer(verdict_error(verdict));
                          parts_.intake.deliver(run, signal);
                          answer(Nothing{});
                        });
  });
}

}  // namespace godwit::engine
