#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

Command pause(Services& services, std::string_view method, std::string_view summary, bool paused) {
  return {method,
          Role::operator_,
          summary,
          {{"queue", ParameterType::text, true, "the queue's name"}},
          [&services, paused](Call call) {
            const auto name = call.arguments.text("queue");
            services.engine.pause_queue(name, paused, call.caller,
                                        call.reply.when<engine::Nothing>([reply = call.reply, name](const auto&) {
                                          reply.result(json::object{{"queue", name}});
                                        }));
          }};
}

}  // namespace

Command queue_list(Services& services) {
  return {"queue.list",
          Role::viewer,
          "Lists the queues: how many of their runs are at work and how many wait.",
          {},
          [&services](Call call) { call.reply.result(services.engine.queues()); }};
}

Command queue_pause(Services& services) {
  return pause(services, "queue.pause",
               "Lets no further run of a queue begin, also after restarts; those at work go on.", true);
}
Command queue_resume(Services& services) {
  return pause(services, "queue.resume", "Lets the runs of a paused queue begin again.", false);
}

}  // namespace godwit::control::commands
