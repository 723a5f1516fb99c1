#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/run.hpp"

namespace godwit::cli {

class Session;

// The tree of commands with their options: the one source of what is parsed, of help, of the manual page and of
// completion.

struct Option {
  std::string_view names;    // "-p,--param"
  std::string_view value;    // what stands for it in help: "K=V"; empty for a flag
  std::string_view summary;  // one sentence
  bool repeatable = false;
};
struct Argument {
  std::string_view name;  // "RUN"
  std::string_view summary;
  bool required = true;
  bool many = false;
};
struct CommandInfo {
  std::string_view group;  // "job" for `godwit job list`; empty for most
  std::string_view name;
  std::string_view summary;
  std::vector<Argument> arguments;
  std::vector<Option> options;
  int (*run)(Session&);  // gives the exit code; throws base::Error

  std::string full_name() const {
    return group.empty() ? std::string(name) : std::string(group) + " " + std::string(name);
  }
};

const std::vector<CommandInfo>& commands();
const std::vector<Option>& global_options();
// "param" of "-p,--param".
std::string long_name(const Option& option);
// Null when there is none.
const CommandInfo* find_command(std::string_view full_name);

// What a person typed, taken apart.
class CommandLine {
 public:
  // Throws Error(usage) with a suggestion where there is one.
  static CommandLine parse(const std::vector<std::string>& words);

  const CommandInfo* command = nullptr;  // null when only help or the version was asked for
  bool help = false;
  bool version = false;

  bool has(const std::string& name) const { return values_.contains(name); }
  // The value of an option ("key") or an argument ("RUN"), or `otherwise`.
  std::string text(const std::string& name, std::string otherwise = {}) const;
  const std::vector<std::string>& texts(const std::string& name) const;
  // Throws Error(usage) unless the value is a whole number from `least` on.
  std::optional<std::int64_t> number(const std::string& name, std::int64_t least = 0) const;
  model::RunId run() const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace godwit::cli
