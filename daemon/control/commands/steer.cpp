#include "control/commands/all.hpp"

#include "base/json_text.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

const Parameter kRun{"run", ParameterType::run, true, "the number of the run"};

using Steer = void (engine::Engine::*)(model::RunId, engine::Caller, engine::Answer<engine::Nothing>);

// Answers {"run": N} when it is done.
engine::Answer<engine::Nothing> answer(Call& call, model::RunId run) {
  return call.reply.when<engine::Nothing>([reply = call.reply, run](const auto&) {
    reply.result(json::object{{"run", model::number(run)}});
  });
}

Command steer(Services& services, std::string_view name, std::string_view summary, Steer action) {
  return {name, Role::operator_, summary, {kRun}, [&services, action](Call call) {
            const auto run = call.arguments.run();
            (services.engine.*action)(run, call.caller, answer(call, run));
          }};
}

}  // namespace

Command run_cancel(Services& services) {
  return steer(services, "run.cancel", "Ends a run for good; its steps under way are asked to stop.",
               &engine::Engine::cancel);
}
Command run_pause(Services& services) {
  return steer(services, "run.pause", "Keeps a run from starting further steps; those under way end as they will.",
               &engine::Engine::pause);
}
Command run_resume(Services& services) {
  return steer(services, "run.resume", "Lets a paused run go on.", &engine::Engine::resume);
}

Command run_signal(Services& services) {
  return {"run.signal",
          Role::operator_,
          "Sends a signal to a run; it is kept until a step takes it.",
          {kRun,
           {"name", ParameterType::text, true, "the name of the signal"},
           {"payload", ParameterType::any, false, "what the waiting step gets (null)"}},
          [&services](Call call) {
            const auto run = call.arguments.run();
            services.engine.signal(run, call.arguments.text("name"), call.arguments.any("payload"), call.caller,
                                   answer(call, run));
          }};
}

Command run_approve(Services& services) {
  return {"run.approve",
          Role::operator_,
          "Decides on a step that waits for approval.",
          {kRun,
           {"step", ParameterType::text, true, "the path of the step"},
           {"approved", ParameterType::boolean, false, "the decision (true)"},
           {"comment", ParameterType::text, false, "why; kept with the decision"}},
          [&services](Call call) {
            const auto run = call.arguments.run();
            services.engine.approve(
                run,
                {call.arguments.text("step"), call.arguments.boolean("approved", true), call.arguments.text("comment")},
                call.caller, answer(call, run));
          }};
}

Command run_migrate(Services& services) {
  return {
      "run.migrate",
      Role::operator_,
      "Lets a run go on with another version of its job, and shows what would differ.",
      {kRun,
       {"to", ParameterType::text, true, "the version's hash, or `latest`"},
       {"dry", ParameterType::boolean, false, "only shows what would differ (false)"}},
      [&services](Call call) {
        services.engine.migrate(
            call.arguments.run(), call.arguments.text("to"), call.arguments.boolean("dry"), call.caller,
            call.reply.when<json::object>([reply = call.reply](const json::object& report) { reply.result(report); }));
      }};
}

Command run_retry(Services& services) {
  return {"run.retry",
          Role::operator_,
          "Lets a blocked run go on, or continues an ended one in a new run that keeps its finished steps.",
          {kRun,
           {"from", ParameterType::text, false, "a stage: it and what depends on it is done again"},
           {"set", ParameterType::object, false, "{path: value}: the output a step is given, or params.NAME"},
           {"skip", ParameterType::texts, false, "steps that are taken as done without an output"}},
          [&services](Call call) {
            engine::Engine::Retry how{call.arguments.text("from"), {}, call.arguments.texts("skip")};
            for (const auto& [path, value] : call.arguments.take_object("set")) how.set[path] = base::serialize(value);
            if (!how.from.empty() && how.set.contains(how.from))
              throw base::refused("'" + how.from + "' is to be done again and is given an output too",
                                  base::Place{.path = "set"}, "say one of the two");
            services.engine.retry(call.arguments.run(), std::move(how), call.caller,
                                  call.reply.when<model::RunId>([reply = call.reply](model::RunId run) {
                                    reply.result(json::object{{"run", model::number(run)}});
                                  }));
          }};
}

}  // namespace godwit::control::commands
