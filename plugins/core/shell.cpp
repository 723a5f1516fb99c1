#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "args.hpp"
#include "shell_process.hpp"

extern char** environ;

namespace core {
namespace {

constexpr double kOutputMax = 16.0 * 1024 * 1024;
constexpr double kOutputDefault = 1024 * 1024;
constexpr std::size_t kStderrKept = 16 * 1024;
constexpr std::size_t kStderrInMessage = 2000;

std::map<std::string, std::string> environment(const json::object& args) {
  std::map<std::string, std::string> result;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view line = *entry;
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos) result.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  for (const auto& member : object(args, "env")) {
    const std::string name(member.key());
    if (name.empty() || name.find('=') != std::string::npos) refuse("env." + name, "is no name of a variable");
    result[name] = member_text("env", member);
  }
  return result;
}

// The program as the shell would find it.
std::string find_program(const std::string& name, const std::map<std::string, std::string>& environment) {
  if (name.find('/') != std::string::npos) return name;
  const auto path = environment.find("PATH");
  std::string_view rest = path == environment.end() ? "/usr/local/bin:/usr/bin:/bin" : std::string_view(path->second);
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    const std::string candidate = std::string(folder) + "/" + name;
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
  }
  godwit::fail("not_started", "there is no program \"" + name + "\" in PATH");
}

std::vector<std::string> read_argv(const json::object& args) {
  if (args.contains("argv") == args.contains("script")) refuse("shell.run", "needs either argv or script");
  if (args.contains("script")) return {"/bin/sh", "-eu", "-c", text(args, "script")};
  const json::value& list = args.at("argv");
  if (!list.is_array() || list.get_array().empty()) refuse("argv", "must be a list with at least the program");
  std::vector<std::string> result;
  for (const auto& word : list.get_array()) {
    if (!word.is_string()) refuse("argv", "must be a list of strings");
    result.emplace_back(word.get_string());
  }
  for (const auto& word : result)
    if (word.find('\0') != std::string::npos) refuse("argv", "must not contain NUL characters");
  return result;
}

ShellCommand read_command(const json::object& args) {
  ShellCommand command;
  command.argv = read_argv(args);
  const auto variables = environment(args);
  command.argv.front() = find_program(command.argv.front(), variables);
  for (const auto& [name, value] : variables) command.environment.push_back(name + "=" + value);
  command.directory = text(args, "cwd", "/");
  if (command.directory.empty() || command.directory.front() != '/') refuse("cwd", "must be an absolute path");
  return command;
}

std::string read_stdin(const json::object& args) {
  const json::value* input = args.if_contains("stdin");
  if (!input) return {};
  return input->is_string() ? std::string(input->get_string()) : json::serialize(*input);
}

json::value lines_of(std::string_view text) {
  json::array lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

json::value read_output(const std::string& form, const std::string& bytes) {
  if (form == "json") {
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 64;
    json::value value = json::parse(bytes, error, {}, options);
    if (error) godwit::fail("bad_output", "the program's output is not JSON: " + error.message());
    return value;
  }
  const std::string clean = as_utf8(bytes);
  if (form == "lines") return lines_of(clean);
  return json::value(clean);
}

// Gives stderr to the log line by line and keeps its end.
class Complaints {
 public:
  explicit Complaints(godwit::Call& call) : call_(call) {}
  void add(std::string_view bytes) {
    kept_ += bytes;
    if (kept_.size() > 2 * kStderrKept) kept_.erase(0, kept_.size() - kStderrKept);
    for (const char c : bytes) {
      if (c == '\n' || line_.size() >= 8192) flush();
      if (c != '\n') line_ += c;
    }
  }
  void flush() {
    if (!line_.empty()) call_.log(godwit::Level::info, line_, {{"stream", "stderr"}});
    line_.clear();
  }
  std::string end(std::size_t size) const {
    const std::string_view all = kept_;
    return as_utf8(all.substr(all.size() - std::min(all.size(), size)));
  }

 private:
  godwit::Call& call_;
  std::string line_;
  std::string kept_;
};

std::string with_end(std::string message, const Complaints& complaints) {
  const std::string end = complaints.end(kStderrInMessage);
  if (!end.empty()) message += "; stderr ends with:\n" + end;
  return message;
}

bool is_ok(const json::object& args, int exit_code) {
  const json::value* codes = args.if_contains("ok_exit_codes");
  if (!codes) return exit_code == 0;
  if (!codes->is_array()) refuse("ok_exit_codes", "must be a list of numbers");
  const auto& list = codes->get_array();
  return std::any_of(list.begin(), list.end(),
                     [exit_code](const json::value& code) { return code.is_int64() && code.get_int64() == exit_code; });
}

}  // namespace

class Shell {
 public:
  explicit Shell(const json::object&) {}

  json::value run(godwit::Call& call, const json::object& args) {
    const std::string form = text(args, "stdout", "text");
    if (form != "text" && form != "json" && form != "lines") refuse("stdout", "must be text, json or lines");
    const auto output_max = static_cast<std::size_t>(number(args, "max_output", 1, kOutputMax, kOutputDefault));
    const std::string input = read_stdin(args);
    std::string output;
    Complaints complaints(call);
    bool too_much = false;
    ShellProcess process(read_command(args));
    process.communicate(
        input,
        [&](std::string_view bytes) {
          too_much = too_much || output.size() + bytes.size() > output_max;
          if (!too_much) output += bytes;
        },
        [&](std::string_view bytes) { complaints.add(bytes); }, [&] { return !call.cancelled() && !too_much; });
    complaints.flush();
    call.check_cancel();
    if (too_much)
      godwit::fail("too_big", with_end("the program wrote more than " + std::to_string(output_max) +
                                           " bytes to stdout; raise max_output or write to a file",
                                       complaints));
    return result(args, form, process.status(), output, complaints);
  }

 private:
  // Nobody knows whether a program that failed would fail again; a step with `retry` is for those that may not.
  static json::value result(const json::object& args, const std::string& form, int status, const std::string& output,
                            const Complaints& complaints) {
    if (WIFSIGNALED(status)) {
      const char* name = ::sigabbrev_np(WTERMSIG(status));
      const std::string signal = name ? name : std::to_string(WTERMSIG(status));
      godwit::retry("killed", with_end("the program was ended by signal SIG" + signal, complaints));
    }
    const int exit_code = WEXITSTATUS(status);
    if (!is_ok(args, exit_code))
      godwit::retry("exit_" + std::to_string(exit_code),
                    with_end("the program ended with exit code " + std::to_string(exit_code), complaints));
    return {{"exit_code", exit_code}, {"stdout", read_output(form, output)}, {"stderr", complaints.end(kStderrKept)}};
  }
};
GODWIT_STAGE(Shell, "shell.run")

}  // namespace core
