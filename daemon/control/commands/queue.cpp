#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

// An empty name comes from a variable that is not set; no queue has it.
std::string queue_of(const Call& call) {
  auto name = call.arguments.text("queue");
  if (name.empty())
    throw base::refused("the name of the queue is empty", base::Place{.path = "queue"},
                        "`godwit queue list` shows the queues");
  return name;
}

Command pause(Services& services, std::string_view method, std::string_view summary, bool paused) {
  return {method,
          Role::operator_,
          summary,
          {{"queue", ParameterType::text, true, "the queue's name"}},
          [&services, paused](Call call) {
            const auto name = queue_of(call);
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
