#include <cstdio>

#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr std::size_t kHoldersShown = 3;

std::string rate_text(const json::object& limit) {
  const auto* rate = limit.if_contains("rate");
  if (!rate || !rate->is_number()) return text_of(limit, "used");
  char text[32];
  std::snprintf(text, sizeof text, "%.4g/s", rate->to_number<double>());
  return text;
}

// Who has it, or why a rate is not what is configured.
std::string state_text(const json::object& limit) {
  std::string text = text_of(limit, "why");
  if (const auto until = local_time(limit, "until"); !until.empty()) text += " (until " + until + ")";
  if (const auto keys = text_of(limit, "keys"); !keys.empty()) text += (text.empty() ? "" : "; ") + keys + " keys";
  const auto* holders = array_of(limit, "holders");
  if (!holders || holders->empty()) return text;
  std::string names;
  for (std::size_t i = 0; i < std::min(holders->size(), kHoldersShown); ++i)
    names += (i == 0 ? "" : ", ") + text_of((*holders)[i].as_object(), "step");
  if (holders->size() > kHoldersShown) names += ", ...";
  return text + (text.empty() ? "" : "; ") + "held by " + names;
}

}  // namespace

int limit_list(Session& session) {
  const auto limits = session.call("limit.list");
  if (session.json) {
    session.print_json(limits);
    return 0;
  }
  Table table(
      {{"LIMIT"}, {"AT MOST"}, {"NOW", Table::Align::right}, {"WAITING", Table::Align::right}, {"SET BY"}, {"STATE"}});
  for (const auto& value : limits.as_array()) {
    const auto& limit = value.as_object();
    if (session.quiet) session.print(base::printable(text_of(limit, "name")) + "\n");
    table.add({text_of(limit, "name"), text_of(limit, "limit"), rate_text(limit), text_of(limit, "waiting"),
               text_of(limit, "source"), state_text(limit)});
  }
  if (!session.quiet) session.print(table.empty() ? "There are no limits.\n" : table.text(session.width));
  return 0;
}

int limit_set(Session& session) {
  const auto answer =
      session.call("limit.set", {{"name", session.line.text("NAME")}, {"limit", session.line.text("LIMIT")}});
  if (session.json) {
    session.print_json(answer);
  } else if (!session.quiet) {
    session.print("limit " + base::printable(session.line.text("NAME")) + " is now " +
                  text_of(answer.as_object(), "limit") + "\n");
  }
  return 0;
}

int limit_unset(Session& session) {
  const auto answer = session.call("limit.unset", {{"name", session.line.text("NAME")}});
  if (session.json) {
    session.print_json(answer);
  } else if (!session.quiet) {
    const std::string limit = text_of(answer.as_object(), "limit");
    session.print("limit " + base::printable(session.line.text("NAME")) +
                  (limit.empty() ? " is gone" : " is now " + limit + ", as its " + text_of(answer.as_object(), "source") + " says") +
                  "\n");
  }
  return 0;
}

}  // namespace godwit::cli
