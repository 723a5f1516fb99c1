#include <thread>

#include "base/json_text.hpp"
#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/manual.hpp"
#include "cli/progress.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr base::Duration kStartPatience = std::chrono::minutes(1);
constexpr auto kStartPoll = std::chrono::milliseconds(50);

int print_list(Session& session, const json::value& list, std::string_view none) {
  if (session.json) {
    session.print_json(list);
  } else {
    std::string text = table_of(list.as_array(), session.width);
    if (text.empty()) text.append(none).append("\n");
    session.print(text);
  }
  return 0;
}

// Calls `take` with each unit of a plugin and each of its methods.
void each_method(const json::object& plugin,
                 const std::function<void(const json::object& unit, const json::object& method)>& take) {
  const auto* units = array_of(plugin, "units");
  if (!units) return;
  for (const auto& unit : *units) {
    const auto* methods = unit.is_object() ? array_of(unit.get_object(), "methods") : nullptr;
    if (!methods) continue;
    for (const auto& method : *methods)
      if (method.is_object()) take(unit.get_object(), method.get_object());
  }
}

void print_schema(Session& session, const json::object& method, const char* name) {
  const auto* schema = object_of(method, name);
  if (schema && !schema->empty()) session.print(std::string(name) + " " + pretty(*schema));
}

void print_plugin(Session& session, const json::object& plugin) {
  each_method(plugin, [&](const json::object& unit, const json::object& method) {
    session.print("\n" + base::printable(text_of(method, "callable")) + ": " +
                  base::printable(text_of(method, "description")) + "\n");
    if (const auto* contracts = array_of(unit, "implements"); contracts && !contracts->empty()) {
      session.print("implements " + base::printable(base::serialize(*contracts)) + "\n");
    }
    session.print(text_of(method, "retry_safe") == "true" ? "may be repeated\n"
                                                          : "is not repeated after a crash without a person's word\n");
    print_schema(session, method, "args");
    print_schema(session, method, "result");
  });
}

}  // namespace

int plugin_list(Session& session) {
  const auto plugins = session.call("plugin.list");
  if (session.json) {
    session.print_json(plugins);
    return 0;
  }
  Table table({{"PLUGIN"}, {"VERSION"}, {"STATE"}, {"METHODS"}, {"DESCRIPTION"}});
  std::string refused, down;
  for (const auto& value : plugins.as_array()) {
    const auto& plugin = value.as_object();
    if (plugin.contains("refused")) {
      refused += "refused: " + base::printable(text_of(plugin, "path")) + ": " +
                 base::printable(text_of(plugin, "refused"), true) + "\n";
      continue;
    }
    if (const auto* breakers = array_of(plugin, "breakers"))
      for (const auto& breaker : *breakers)
        if (const auto why = text_of(breaker.as_object(), "why"); !why.empty())
          down += "not called for now: " + base::printable(text_of(breaker.as_object(), "provider")) + ": " +
                  base::printable(why) + "\n";
    std::string methods;
    each_method(plugin, [&](const json::object&, const json::object& method) {
      methods += (methods.empty() ? "" : " ") + text_of(method, "callable");
    });
    if (session.quiet) session.print(base::printable(text_of(plugin, "id")) + "\n");
    table.add({text_of(plugin, "id"), text_of(plugin, "version"), text_of(plugin, "state"), methods,
               text_of(plugin, "description")});
  }
  if (!session.quiet)
    session.print((table.empty() ? "There are no plugins.\n" : table.text(session.width)) + down + refused);
  return 0;
}

int plugin_show(Session& session) {
  const auto answer = session.call("plugin.show", {{"plugin", session.line.text("PLUGIN")}});
  if (session.json) {
    session.print_json(answer);
    return 0;
  }
  auto head = answer.as_object();
  head.erase("units");
  session.print(outline(head));
  print_plugin(session, answer.as_object());
  return 0;
}

int plugin_reset(Session& session) {
  const auto answer = session.call("plugin.reset", {{"plugin", session.line.text("PLUGIN")}});
  if (session.json) {
    session.print_json(answer);
  } else if (!session.quiet) {
    const bool was_stopped = text_of(answer.as_object(), "was_stopped") == "true";
    session.print("plugin " + base::printable(session.line.text("PLUGIN")) +
                  (was_stopped ? " starts again with its next call\n" : " was not stopped\n"));
  }
  return 0;
}

int audit(Session& session) {
  json::object request;
  if (const auto limit = session.line.number("limit", 1)) request["limit"] = *limit;
  const auto changes = session.call("audit.list", std::move(request));
  if (!session.quiet || session.json) return print_list(session, changes, "Nothing was changed by anybody yet.");
  for (const auto& change : changes.as_array())
    session.print(base::printable(text_of(change.as_object(), "command") + " " + text_of(change.as_object(), "target")) + "\n");
  return 0;
}

int reload(Session& session) {
  const auto answer = session.call("daemon.reload");
  const auto& report = answer.as_object();
  auto problems = problem_texts(report, "problems");
  for (auto& problem : problem_texts(report, "plugin_problems")) problems.push_back(std::move(problem));
  if (session.json) {
    session.print_json(answer);
  } else {
    if (!session.quiet)
      session.print(text_of(report, "loaded") + " job files read, " + text_of(report, "changed") +
                    " jobs new or changed\n");
    for (const auto& problem : problems) session.note(problem);
  }
  return !problems.empty() ? base::info(base::ErrorKind::refused).exit_code : 0;
}

int ping(Session& session) {
  const auto until = base::tick() + (session.line.has("wait") ? kStartPatience : base::Duration());
  while (true) {
    try {
      session.client();
      break;
    } catch (const base::Error& error) {
      if (error.kind() != base::ErrorKind::unavailable || base::tick() >= until) throw;
      std::this_thread::sleep_for(kStartPoll);
    }
  }
  const auto begin = base::tick();
  const auto answer = session.call("daemon.ping");
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(base::tick() - begin);
  if (session.json) {
    session.print_json(answer);
  } else {
    session.print("the daemon answered in " + base::format_duration(took) + "\n");
  }
  return 0;
}

int completion(Session& session) {
  if (session.line.text("SHELL") != "bash")
    throw base::Error(base::ErrorKind::usage, "there is completion for bash only");
  session.print(bash_completion());
  return 0;
}

int help(Session& session) {
  if (session.line.has("man")) {
    session.print(manual_page());
    return 0;
  }
  std::string name;
  for (const auto& word : session.line.texts("COMMAND")) name += (name.empty() ? "" : " ") + word;
  if (name.empty()) {
    session.print(overview());
    return 0;
  }
  if (const auto* command = find_command(name)) {
    session.print(help_of(*command));
    return 0;
  }
  std::string members;
  for (const auto& command : commands())
    if (command.group == name) members += "godwit " + command.full_name() + ": " + std::string(command.summary) + "\n";
  if (members.empty())
    throw base::Error(base::ErrorKind::usage, "there is no command '" + name + "'", {}, "see `godwit help`");
  session.print(members);
  return 0;
}

}  // namespace godwit::cli
