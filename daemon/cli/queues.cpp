#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

std::string bound_text(const json::object& queue, const char* name) {
  const auto text = text_of(queue, name);
  return text.empty() ? "-" : text;
}

std::string state_text(const json::object& queue) {
  if (text_of(queue, "paused") != "true") return "open";
  return "paused by " + text_of(queue, "paused_by") + " since " + local_time(queue, "paused_since");
}

int change(Session& session, const std::string& method, const std::string& what) {
  const std::string name = session.line.text("QUEUE");
  const auto answer = session.call(method, {{"queue", name}});
  if (session.json)
    session.print_json(answer);
  else if (!session.quiet)
    session.print("queue " + base::printable(name) + " " + what + "\n");
  return 0;
}

}  // namespace

int queue_list(Session& session) {
  const auto queues = session.call("queue.list");
  if (session.json) {
    session.print_json(queues);
    return 0;
  }
  Table table({{"QUEUE"}, {"AT MOST"}, {"ON ALL NODES"}, {"RUNNING"}, {"WAITING"}, {"STATE"}});
  for (const auto& value : queues.as_array()) {
    const auto& queue = value.as_object();
    if (session.quiet) session.print(base::printable(text_of(queue, "queue")) + "\n");
    table.add({text_of(queue, "queue"), bound_text(queue, "concurrency"), bound_text(queue, "concurrency_total"),
               text_of(queue, "running"), text_of(queue, "waiting"), state_text(queue)});
  }
  if (!session.quiet) session.print(table.empty() ? "There are no queues.\n" : table.text(session.width));
  return 0;
}

int queue_pause(Session& session) {
  return change(session, "queue.pause", "is paused: no further run of it begins");
}
int queue_resume(Session& session) {
  return change(session, "queue.resume", "goes on");
}

}  // namespace godwit::cli
