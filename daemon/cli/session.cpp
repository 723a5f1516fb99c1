#include "cli/session.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/json_text.hpp"
#include "base/terminal.hpp"
#include "cli/manual.hpp"

namespace godwit::cli {
namespace {

void print_error(const base::Error& error) {
  for (const auto& problem : error.problems()) {
    const std::string line = "godwit: " + base::printable(problem.text(), true) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
}

std::string_view color_of(const std::string& state) {
  if (state == "succeeded" || state == "up") return "\x1b[32m";
  if (state == "failed" || state == "blocked" || state == "down") return "\x1b[31m";
  if (state == "running") return "\x1b[36m";
  if (state == "cancelled" || state == "paused" || state == "waiting") return "\x1b[33m";
  return {};
}

int run_line(CommandLine line) {
  if (line.help) {
    const std::string text = line.command ? help_of(*line.command) : overview();
    std::fwrite(text.data(), 1, text.size(), stdout);
    return 0;
  }
  if (line.version) {
    std::puts("godwit " GODWIT_VERSION);
    return 0;
  }
  Session session(std::move(line));
  return session.line.command->run(session);
}

}  // namespace

Session::Session(CommandLine given)
    : line(std::move(given)),
      json(line.has("json")),
      quiet(line.has("quiet")),
      width(base::terminal_width(STDOUT_FILENO)),
      tell_width(base::terminal_width(STDERR_FILENO)),
      color(width > 0 && !line.has("no-color") && !std::getenv("NO_COLOR")) {}

Client& Session::client() {
  if (!client_) {
    client_ = std::make_unique<Client>(line.has("socket") ? line.text("socket") : default_socket());
    client_->on_delay([this](const std::string& why) { note(why); });
  }
  return *client_;
}

base::json::value Session::call(std::string_view method, base::json::object params) {
  return client().call(method, std::move(params));
}

void Session::print(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void Session::tell(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void Session::print_json(const base::json::value& value) const {
  print(base::serialize(value) + "\n");
}

void Session::note(std::string_view text) const {
  std::fflush(stdout);
  const std::string line_text = "godwit: " + base::printable(text, true) + "\n";
  std::fwrite(line_text.data(), 1, line_text.size(), stderr);
}

std::string Session::paint(const std::string& state) const {
  const auto code = color ? color_of(state) : std::string_view();
  const std::string text = base::printable(state);
  return code.empty() ? text : std::string(code) + text + "\x1b[0m";
}

int run_program(const std::vector<std::string>& words) {
  int code = 0;
  try {
    if (words.empty()) {
      const std::string text = overview();
      std::fwrite(text.data(), 1, text.size(), stderr);
      return base::info(base::ErrorKind::usage).exit_code;
    }
    code = run_line(CommandLine::parse(words));
  } catch (const base::Error& error) {
    std::fflush(stdout);
    print_error(error);
    code = base::info(error.kind()).exit_code;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    print_error(base::Error(base::ErrorKind::internal, std::string("a bug of godwit's: ") + error.what()));
    code = 1;
  }
  // The last flush has nothing to say of what an earlier one could not write.
  const bool flushed = std::fflush(stdout) == 0;
  if ((!flushed || std::ferror(stdout) != 0) && code == 0) {
    print_error(base::Error(base::ErrorKind::failed, "cannot write to standard output"));
    code = 1;
  }
  return code;
}

}  // namespace godwit::cli
