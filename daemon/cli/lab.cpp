#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/json_text.hpp"
#include "base/paths.hpp"
#include "cli/artifacts.hpp"
#include "cli/commands.hpp"
#include "cli/lab.hpp"
#include "cli/session.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

// How many steps are asked for at once.
constexpr std::int64_t kStepsPage = 1000;

// What is exported stands alone, so a large output is written out.
void fetch_output(Session& session, json::object& step) {
  const auto* artifact = object_of(step, "output_artifact");
  if (!artifact) return;
  std::string text;
  read_artifact(session, text_of(*artifact, "artifact"), [&](std::string_view piece) { text += piece; });
  step["output"] = base::parse_json(text);
  step.erase("output_artifact");
}

}  // namespace

void become_lab(const json::object& request) {
  const std::string program = base::companion_program(base::read_surroundings(), "godwit-lab");
  std::string argument = base::serialize(request);
  char* const words[] = {const_cast<char*>("godwit-lab"), argument.data(), nullptr};
  std::fflush(stdout);
  ::execv(program.c_str(), words);
  throw base::Error(base::ErrorKind::failed, std::string("cannot be started: ") + std::strerror(errno), {program},
                    "it belongs to godwit; install it again");
}

int job_test(Session& session) {
  json::object request{{"command", "test"},
                       {"files", json::value_from(session.line.texts("FILE"))},
                       {"plugin_dirs", json::value_from(session.line.texts("plugin-dir"))},
                       {"crash_sweep", session.line.has("crash-sweep")},
                       {"json", session.json},
                       {"quiet", session.quiet},
                       {"color", session.color}};
  for (const char* name : {"only", "junit", "config"})
    if (session.line.has(name)) request[name] = session.line.text(name);
  become_lab(request);
}

int lua_stubs(Session& session) {
  json::object request{{"command", "lua_stubs"}, {"plugin_dirs", json::value_from(session.line.texts("plugin-dir"))}};
  if (session.line.has("config")) request["config"] = session.line.text("config");
  become_lab(request);
}

int job_convert(Session& session) {
  become_lab({{"command", "convert"}, {"file", session.line.text("FILE")}});
}

int job_schema(Session&) {
  become_lab({{"command", "schema"}});
}

int run_export(Session& session) {
  const auto run = model::number(session.line.run());
  json::object exported;
  json::array steps;
  for (bool more = true; more;) {
    const json::object page{{"offset", steps.size()}, {"limit", kStepsPage}, {"with_output", true}};
    auto shown = session.call("run.show", {{"run", run}, {"steps", page}}).as_object();
    if (const auto left_out = left_out_text(shown, "params", session.line.run()); !left_out.empty())
      throw base::refused(left_out);
    for (auto& step : shown.at("steps").as_array()) {
      fetch_output(session, step.as_object());
      steps.push_back(std::move(step));
    }
    more = shown.at("more_steps").as_bool();
    if (exported.empty())
      for (const char* name : {"run", "job", "version", "state", "params"})
        if (auto* value = shown.if_contains(name)) exported[name] = std::move(*value);
  }
  exported["steps"] = std::move(steps);
  if (session.json)
    session.print_json(exported);
  else
    session.print(pretty(exported));
  return 0;
}

}  // namespace godwit::cli
