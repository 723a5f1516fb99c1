#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kLinesMax = 10'000;

const Parameter kRun{"run", ParameterType::run, true, "the number of the run"};

}  // namespace

Command run_logs(Services& services) {
  return {"run.logs",
          Role::viewer,
          "Reads a run's log lines, oldest first; a page ends early where lines are long, and is empty after the last.",
          {kRun,
           {"after", ParameterType::count, false, "only lines with a greater `seq`"},
           {"limit", ParameterType::count, false, "how many at most (1000)"}},
          [&services](Call call) {
            require_store(services);
            services.history.read_logs(
                call.arguments.run(), call.arguments.count("after"),
                static_cast<std::size_t>(std::min(call.arguments.count("limit", 1000), kLinesMax)),
                call.reply.when<json::array>([reply = call.reply](const json::array& lines) { reply.result(lines); }));
          }};
}

Command run_result(Services& services) {
  return {"run.result",
          Role::viewer,
          "Gives a run's state and its result (over 6 MiB only its `result_bytes`) or error, null before its end.",
          {kRun},
          [&services](Call call) {
            require_store(services);
            services.history.read_result(
                call.arguments.run(), call.reply.when<json::object>(
                                          [reply = call.reply](const json::object& result) { reply.result(result); }));
          }};
}

Command run_why(Services& services) {
  return {"run.why", Role::viewer, "Says what keeps a run from going on.", {kRun}, [&services](Call call) {
            services.engine.why(
                call.arguments.run(),
                call.reply.when<json::object>([reply = call.reply](const json::object& why) { reply.result(why); }));
          }};
}

Command audit_list(Services& services) {
  return {"audit.list",
          Role::admin,
          "Lists what people changed, newest first.",
          {{"limit", ParameterType::count, false, "how many at most (100)"}},
          [&services](Call call) {
            require_store(services);
            services.history.list_audit(
                static_cast<std::size_t>(std::min(call.arguments.count("limit", 100), kLinesMax)),
                call.reply.when<json::array>([reply = call.reply](const json::array& rows) { reply.result(rows); }));
          }};
}

}  // namespace godwit::control::commands
