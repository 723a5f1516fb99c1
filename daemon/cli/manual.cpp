#include "cli/manual.hpp"

#include <map>
#include <set>

namespace godwit::cli {
namespace {

struct ExitCode {
  int code;
  std::string_view meaning;
};
constexpr ExitCode kExitCodes[] = {{0, "done"},
                                   {1, "the run failed, or the operation did"},
                                   {2, "the command line is wrong"},
                                   {3, "no such run, job, file or plugin"},
                                   {4, "no daemon, or its database is away"},
                                   {5, "not allowed"},
                                   {6, "the input was refused"}};

std::string usage_of(const CommandInfo& command) {
  std::string text = "godwit " + command.full_name();
  for (const auto& argument : command.arguments) {
    const std::string name = std::string(argument.name) + (argument.many ? "..." : "");
    text += argument.required ? " " + name : " [" + name + "]";
  }
  return command.options.empty() ? text : text + " [OPTIONS]";
}

std::string with_spaces(std::string_view names) {
  std::string text(names);
  if (const auto comma = text.find(','); comma != std::string::npos) text.insert(comma + 1, " ");
  return text.starts_with("--") ? "    " + text : text;
}

void add_entry(std::string& out, const std::string& left, std::string_view right) {
  constexpr std::size_t kColumn = 26;
  out += "  " + left;
  out += left.size() + 2 < kColumn ? std::string(kColumn - left.size() - 2, ' ') : "\n" + std::string(kColumn, ' ');
  out += std::string(right) + "\n";
}

void add_options(std::string& out, std::string_view heading, const std::vector<Option>& options) {
  if (options.empty()) return;
  out += "\n" + std::string(heading) + ":\n";
  for (const auto& option : options) {
    add_entry(out, with_spaces(option.names) + (option.value.empty() ? "" : " " + std::string(option.value)),
              option.summary);
  }
}

// A text for troff: no line may begin with its control characters, and backslashes and hyphens are written out.
std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

void add_troff_options(std::string& out, const std::vector<Option>& options) {
  for (const auto& option : options) {
    std::string names(option.names);
    if (const auto comma = names.find(','); comma != std::string::npos) names.insert(comma + 1, " ");
    out += ".TP\n.B " + troff(names) + (option.value.empty() ? "" : " \\fI" + troff(option.value) + "\\fR") + "\n" +
           troff(option.summary) + "\n";
  }
}

}  // namespace

std::string overview() {
  std::string out =
      "godwit: submits, watches and steers durable jobs\n\nUsage: godwit COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n";
  for (const auto& command : commands()) add_entry(out, command.full_name(), command.summary);
  add_options(out, "Options of every command", global_options());
  out += "\nExit codes:\n";
  for (const auto& entry : kExitCodes) add_entry(out, std::to_string(entry.code), entry.meaning);
  return out + "\n`godwit help COMMAND` says more.\n";
}

std::string help_of(const CommandInfo& command) {
  std::string out = std::string(command.summary) + "\n\nUsage: " + usage_of(command) + "\n";
  if (!command.arguments.empty()) out += "\nArguments:\n";
  for (const auto& argument : command.arguments) add_entry(out, std::string(argument.name), argument.summary);
  add_options(out, "Options", command.options);
  add_options(out, "Options of every command", global_options());
  return out;
}

std::string manual_page() {
  std::string out =
      ".TH GODWIT 1\n.SH NAME\ngodwit \\- submits, watches and steers durable jobs\n.SH SYNOPSIS\n.B godwit\n.I "
      "COMMAND\n"
      "[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n"
      "Speaks with the daemon godwitd over its control socket. Jobs run in the daemon: godwit may be ended at any "
      "time.\n.SH COMMANDS\n";
  for (const auto& command : commands()) {
    out += ".SS " + troff(usage_of(command)) + "\n" + troff(command.summary) + "\n";
    for (const auto& argument : command.arguments)
      out += ".TP\n.I " + troff(argument.name) + "\n" + troff(argument.summary) + "\n";
    add_troff_options(out, command.options);
  }
  out += ".SH OPTIONS OF EVERY COMMAND\n";
  add_troff_options(out, global_options());
  out += ".SH EXIT STATUS\n";
  for (const auto& entry : kExitCodes)
    out += ".TP\n.B " + std::to_string(entry.code) + "\n" + troff(entry.meaning) + "\n";
  return out + ".SH SEE ALSO\n.BR godwitd (8)\n";
}

std::string bash_completion() {
  std::set<std::string> first;
  std::map<std::string, std::string> members;
  std::string options_of;  // one branch of a case for each command
  for (const auto& command : commands()) {
    first.insert(std::string(command.group.empty() ? command.name : command.group));
    if (!command.group.empty()) members[std::string(command.group)] += " " + std::string(command.name);
    options_of += command.group.empty() ? "      " + std::string(command.name) + "\\ *) words='"
                                        : "      '" + command.full_name() + "') words='";
    for (const auto* options : {&command.options, &global_options()})
      for (const auto& option : *options) options_of += " --" + long_name(option);
    options_of += "' ;;\n";
  }
  std::string names;
  for (const auto& name : first) names += " " + name;
  std::string seconds;
  for (const auto& [group, words] : members) seconds += "      " + group + ") words='" + words + "' ;;\n";
  return "_godwit() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} words=\n"
         "  if [[ $current == -* ]]; then\n"
         "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n" +
         options_of +
         "    esac\n"
         "  elif [[ $COMP_CWORD == 1 ]]; then\n"
         "    words='" +
         names +
         "'\n"
         "  elif [[ $COMP_CWORD == 2 ]]; then\n"
         "    case ${COMP_WORDS[1]} in\n" +
         seconds +
         "      submit) words=$(godwit job list --quiet 2>/dev/null) ;;\n"
         "    esac\n"
         "  fi\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "  [[ ${#COMPREPLY[@]} == 0 ]] && mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
         "}\n"
         "complete -F _godwit godwit\n";
}

}  // namespace godwit::cli
