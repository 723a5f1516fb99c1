#include "control/command.hpp"

#include <stdexcept>

#include "base/suggest.hpp"

namespace godwit::control {

CommandTable::CommandTable(std::vector<Command> commands) {
  for (auto& command : commands) {
    const std::string_view name = command.name;
    if (!commands_.emplace(name, std::move(command)).second)
      throw std::logic_error("two commands are named " + std::string(name));
  }
}

const Command* CommandTable::find(std::string_view name) const {
  const auto found = commands_.find(name);
  return found == commands_.end() ? nullptr : &found->second;
}

std::string CommandTable::suggestion(std::string_view name) const {
  std::vector<std::string> known;
  for (const auto& entry : commands_) known.emplace_back(entry.first);
  return base::suggest(name, known);
}

}  // namespace godwit::control
