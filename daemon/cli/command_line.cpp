#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <deque>

#include "base/error.hpp"
#include "base/suggest.hpp"

namespace godwit::cli {
namespace {

base::Error usage(std::string what, std::string hint) {
  return base::Error(base::ErrorKind::usage, std::move(what), {}, std::move(hint));
}

std::string help_hint(const CommandInfo* command) {
  return "see `godwit help" + (command ? " " + command->full_name() : std::string()) + "`";
}

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const auto& command : commands()) words.emplace_back(command.group.empty() ? command.name : command.group);
  return words;
}

bool takes_value(const std::string& word) {
  for (const auto& option : global_options())
    if (!option.value.empty() && "--" + long_name(option) == word) return true;
  return false;
}

// The command the words begin with, global options left out. Throws when there is none of that name.
const CommandInfo* command_of(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < words.size() && names.size() < 2; ++i) {
    if (takes_value(words[i])) {
      ++i;
    } else if (!words[i].starts_with('-')) {
      names.push_back(words[i]);
    }
  }
  if (names.empty()) return nullptr;
  if (const auto* command = find_command(names[0])) return command;
  std::vector<std::string> in_group;
  for (const auto& command : commands())
    if (command.group == names[0]) in_group.emplace_back(command.name);
  if (in_group.empty()) {
    const auto hint = base::suggest(names[0], first_words());
    throw usage("there is no command '" + names[0] + "'", hint.empty() ? help_hint(nullptr) : hint);
  }
  const std::string second = names.size() > 1 ? names[1] : std::string();
  if (const auto* command = find_command(names[0] + " " + second)) return command;
  std::string known;
  for (const auto& name : in_group) known += (known.empty() ? "" : ", ") + name;
  if (second.empty()) throw usage("'" + names[0] + "' needs one of: " + known, help_hint(nullptr));
  const auto hint = base::suggest(second, in_group);
  throw usage("there is no command '" + names[0] + " " + second + "'", hint.empty() ? "known: " + known : hint);
}

std::string unknown_option_hint(const CommandInfo& command, const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const auto* options : {&command.options, &global_options()})
    for (const auto& option : *options) known.push_back("--" + long_name(option));
  for (const auto& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (auto hint = base::suggest(name, known); !hint.empty()) return hint;
  }
  return help_hint(&command);
}

// What CLI11, which takes no bars in names, is told of an argument.
std::string parsed_name(const Argument& argument) {
  std::string name(argument.name);
  std::replace(name.begin(), name.end(), '|', '_');
  return name;
}

// What CLI11 says, with the arguments called as help calls them.
std::string with_names(std::string text, const CommandInfo& command) {
  for (const auto& argument : command.arguments)
    if (const auto at = text.find(parsed_name(argument)); at != std::string::npos)
      text.replace(at, argument.name.size(), argument.name);
  return text;
}

// CLI11 keeps pointers to the places its values go to, so these must not move.
struct Place {
  std::string name;
  std::vector<std::string> values;
  bool flag = false;
  CLI::Option* option = nullptr;
};

void add_option(CLI::App& app, const Option& option, std::deque<Place>& places) {
  auto& place = places.emplace_back(Place{long_name(option)});
  if (option.value.empty()) {
    place.option = app.add_flag(std::string(option.names), place.flag);
    return;
  }
  place.option = app.add_option(std::string(option.names), place.values)->allow_extra_args(false);
  if (!option.repeatable) place.option->expected(1);
}

}  // namespace

std::string long_name(const Option& option) {
  return std::string(option.names.substr(option.names.find("--") + 2));
}

const CommandInfo* find_command(std::string_view full_name) {
  for (const auto& command : commands())
    if (command.full_name() == full_name) return &command;
  return nullptr;
}

CommandLine CommandLine::parse(const std::vector<std::string>& words) {
  CommandLine line;
  line.command = command_of(words);
  for (const auto& word : words) {
    if (word == "--") break;
    if (word == "-h" || word == "--help") line.help = true;
    if (word == "--version") line.version = true;
  }
  if (line.help || line.version) return line;
  if (!line.command) throw usage("there is no command in this", help_hint(nullptr));

  std::deque<Place> places;
  CLI::App root;
  root.set_help_flag();
  root.allow_windows_style_options(false);
  auto* parent = line.command->group.empty() ? &root : root.add_subcommand(std::string(line.command->group));
  auto* app = parent->add_subcommand(std::string(line.command->name));
  parent->fallthrough();
  app->fallthrough();
  for (const auto& option : global_options()) add_option(root, option, places);
  for (const auto& option : line.command->options) add_option(*app, option, places);
  for (const auto& argument : line.command->arguments) {
    auto& place = places.emplace_back(Place{std::string(argument.name)});
    place.option = app->add_option(parsed_name(argument), place.values)
                       ->required(argument.required)
                       ->expected(1, argument.many ? 1'000'000 : 1)
                       ->allow_extra_args(argument.many);
  }
  try {
    root.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ExtrasError& error) {
    throw usage(error.what(), unknown_option_hint(*line.command, words));
  } catch (const CLI::ParseError& error) {
    throw usage(with_names(error.what(), *line.command), help_hint(line.command));
  }
  for (auto& place : places)
    if (place.option->count() > 0) line.values_[place.name] = std::move(place.values);
  return line;
}

std::string CommandLine::text(const std::string& name, std::string otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? std::move(otherwise) : found->second.back();
}

const std::vector<std::string>& CommandLine::texts(const std::string& name) const {
  static const std::vector<std::string> none;
  const auto found = values_.find(name);
  return found == values_.end() ? none : found->second;
}

std::optional<std::int64_t> CommandLine::number(const std::string& name, std::int64_t least) const {
  if (!has(name)) return std::nullopt;
  const std::string word = text(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < least) {
    throw usage("'" + word + "' is no number from " + std::to_string(least) + " on, as " + name + " must be",
                help_hint(command));
  }
  return value;
}

model::RunId CommandLine::run() const {
  return model::RunId{*number("RUN", 1)};
}

}  // namespace godwit::cli
