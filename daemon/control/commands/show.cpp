#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kStepsMax = 10'000;

// What the engine knows of a run in memory is newer than what the store has.
void add_live(json::object& shown, json::object live) {
  if (live.empty()) return;
  json::object progress;
  for (const auto* name : {"done", "total", "failed", "fields", "stages"}) {
    if (auto* value = live.if_contains(name)) progress[name] = std::move(*value);
  }
  shown["progress"] = std::move(progress);
  for (const auto* name : {"run", "job", "state", "blocked"}) {
    if (auto* value = live.if_contains(name)) shown[name] = std::move(*value);
  }
  if (auto* steps = live.if_contains("steps")) shown["steps_in_flight"] = std::move(*steps);
}

struct StepsWanted {
  std::size_t offset = 0;
  std::size_t limit = 100;
  bool with_output = false;
};

std::optional<StepsWanted> steps_wanted(Call& call) {
  if (!call.arguments.has("steps")) return std::nullopt;
  auto given = Arguments::check(call.arguments.take_object("steps"),
                                {{"offset", ParameterType::count, false, "how many to leave out from the first"},
                                 {"limit", ParameterType::count, false, "how many at most (100)"},
                                 {"with_output", ParameterType::boolean, false, "also what each step gave"}});
  return StepsWanted{static_cast<std::size_t>(given.count("offset")),
                     static_cast<std::size_t>(std::min(given.count("limit", 100), kStepsMax)),
                     given.boolean("with_output")};
}

}  // namespace

Command run_show(Services& services) {
  return {"run.show",
          Role::viewer,
          "Shows one run: state, progress, parameters (over 4 MiB only their `params_bytes`), what is under way and, "
          "if asked, its finished steps.",
          {{"run", ParameterType::run, true, "the number of the run"},
           {"steps", ParameterType::object, false, "{offset, limit, with_output}: which of its finished steps to add"}},
          [&services](Call call) {
            const auto run = call.arguments.run();
            const auto wanted = steps_wanted(call);
            require_store(services);
            services.history.show_run(
                run, call.reply.when<json::object>([=, reply = call.reply, &services](json::object& row) {
                  add_live(row, services.engine.live(run));
                  if (!wanted) return reply.result(row);
                  services.history.list_steps(
                      run, wanted->offset, wanted->limit, wanted->with_output,
                      reply.when<json::object>([reply, row = std::move(row)](json::object& steps) mutable {
                        row["steps"] = std::move(steps.at("steps"));
                        row["more_steps"] = std::move(steps.at("more"));
                        reply.result(row);
                      }));
                }));
          }};
}

}  // namespace godwit::control::commands
