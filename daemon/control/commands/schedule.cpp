#include "control/commands/all.hpp"
#include "engine/scheduler.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kNextMax = 10'000;
constexpr std::int64_t kFiresMax = 10'000;

const Parameter kName{"schedule", ParameterType::text, true, "the name of the schedule"};

base::Instant instant_of(const Arguments& arguments, std::string_view name, base::Instant otherwise) {
  if (!arguments.has(name)) return otherwise;
  const auto instant = base::parse_instant(arguments.text(name));
  if (!instant)
    throw base::refused("'" + arguments.text(name) + "' is no instant", base::Place{.path = std::string(name)},
                        "write it as 2026-03-28T00:00:00Z");
  return *instant;
}

// Answers with the name once the change is stored.
engine::Answer<engine::Nothing> named(const Call& call, std::string name) {
  return call.reply.when<engine::Nothing>([reply = call.reply, name = std::move(name)](const auto&) {
    reply.result(json::object{{"schedule", name}});
  });
}

Command pause(Services& services, std::string_view method, std::string_view summary, bool paused) {
  return {method, Role::operator_, summary, {kName}, [&services, paused](Call call) {
            const auto name = call.arguments.text("schedule");
            services.engine.schedules().pause(name, paused, call.caller, named(call, name));
          }};
}

}  // namespace

Command schedule_list(Services& services) {
  return {"schedule.list",
          Role::viewer,
          "Lists the schedules with their next fire times and what came of the last ones.",
          {},
          [&services](Call call) { call.reply.result(services.engine.schedules().view()); }};
}

Command schedule_next(Services& services) {
  return {"schedule.next",
          Role::viewer,
          "Gives the next fire times of a schedule.",
          {kName, {"count", ParameterType::count, false, "how many (5)"}},
          [&services](Call call) {
            json::array list;
            const auto count = std::min(call.arguments.count("count", 5), kNextMax);
            for (const auto instant :
                 services.engine.schedules().next(call.arguments.text("schedule"), static_cast<std::size_t>(count)))
              list.emplace_back(base::format_instant(instant));
            call.reply.result(list);
          }};
}

Command schedule_fires(Services& services) {
  return {"schedule.fires",
          Role::viewer,
          "Lists fire times that have come, newest first, and what they led to.",
          {{"schedule", ParameterType::text, false, "only of this schedule"},
           {"limit", ParameterType::count, false, "how many at most (50)"}},
          [&services](Call call) {
            require_store(services);
            const auto limit = std::min(call.arguments.count("limit", 50), kFiresMax);
            services.history.list_fires(
                call.arguments.text("schedule"), static_cast<std::size_t>(limit),
                call.reply.when<json::array>([reply = call.reply](const auto& fires) { reply.result(fires); }));
          }};
}

Command schedule_set(Services& services) {
  return {"schedule.set",
          Role::operator_,
          "Makes a schedule, or changes one that an operator made.",
          {{"definition", ParameterType::object, true,
            "{name, job, cron|calendar|every|at, zone, clock_change, missed, missed_within, overlap, jitter, params}"}},
          [&services](Call call) {
            auto schedule = model::schedule_from_json(call.arguments.take_object("definition"));
            if (schedule.job.empty())
              throw base::refused("a schedule needs a job", base::Place{.path = "definition.job"});
            const auto name = schedule.name;
            services.engine.schedules().set(std::move(schedule), call.caller, named(call, name));
          }};
}

Command schedule_remove(Services& services) {
  return {
      "schedule.remove", Role::operator_, "Removes a schedule that an operator made.", {kName}, [&services](Call call) {
        const auto name = call.arguments.text("schedule");
        services.engine.schedules().remove(name, call.caller, named(call, name));
      }};
}

Command schedule_pause(Services& services) {
  return pause(services, "schedule.pause", "Lets a schedule lead to no runs; its fire times are recorded as paused.",
               true);
}
Command schedule_resume(Services& services) {
  return pause(services, "schedule.resume", "Lets a paused schedule fire again, from now on.", false);
}

Command schedule_trigger(Services& services) {
  return {"schedule.trigger", Role::operator_, "Submits a run of a schedule now.", {kName}, [&services](Call call) {
            services.engine.schedules().trigger(call.arguments.text("schedule"), call.caller,
                                                call.reply.when<model::RunId>([reply = call.reply](model::RunId run) {
                                                  reply.result(json::object{{"run", model::number(run)}});
                                                }));
          }};
}

Command schedule_backfill(Services& services) {
  return {"schedule.backfill",
          Role::operator_,
          "Submits a run for each past fire time of a range that led to none.",
          {kName,
           {"from", ParameterType::text, true, "fire times after this instant"},
           {"to", ParameterType::text, false, "up to this one (now)"}},
          [&services](Call call) {
            using Backfilled = engine::Scheduler::Backfilled;
            const auto from = instant_of(call.arguments, "from", {});
            services.engine.schedules().backfill(
                call.arguments.text("schedule"), from, instant_of(call.arguments, "to", base::Instant::max()),
                call.caller, call.reply.when<Backfilled>([reply = call.reply](const Backfilled& done) {
                  json::array runs;
                  for (const auto run : done.runs) runs.emplace_back(model::number(run));
                  reply.result(json::object{{"runs", std::move(runs)}, {"existing", done.existing}});
                }));
          }};
}

}  // namespace godwit::control::commands
