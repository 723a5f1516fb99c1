#include "base/error.hpp"
#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

int set_draining(Session& session, const char* method, const char* done) {
  const auto name = session.line.text("NODE");
  const auto answer = session.call(method, {{"node", name}});
  if (session.json)
    session.print_json(answer);
  else if (!session.quiet)
    session.print("node " + base::printable(name) + " " + done + "\n");
  return 0;
}

}  // namespace

int node_list(Session& session) {
  auto nodes = session.call("node.list");
  if (session.json) {
    session.print_json(nodes);
    return 0;
  }
  // What is long is for `node show`.
  for (auto& node : nodes.as_array())
    for (const char* name : {"plugins", "draining", "started_at", "lease_until"}) node.as_object().erase(name);
  session.print(table_of(nodes.as_array(), session.width));
  return 0;
}

int node_show(Session& session) {
  const auto name = session.line.text("NODE");
  const auto nodes = session.call("node.list");
  for (const auto& node : nodes.as_array()) {
    if (text_of(node.as_object(), "node") != name) continue;
    session.json ? session.print_json(node) : session.print(pretty(node.as_object()));
    return 0;
  }
  throw base::not_found("there is no node '" + name + "'", "`godwit node list` shows what there is");
}

int node_drain(Session& session) {
  return set_draining(session, "node.drain", "drains: it begins nothing more");
}
int node_undrain(Session& session) {
  return set_draining(session, "node.undrain", "takes runs again");
}

}  // namespace godwit::cli
