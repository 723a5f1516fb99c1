#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/arguments.hpp"
#include "control/reply.hpp"
#include "control/role.hpp"
#include "engine/engine.hpp"

namespace godwit::control {

// One request that was found good: who asks, with which parameters, and the way to answer.
struct Call {
  engine::Caller caller;
  Role role = Role::none;
  Arguments arguments;
  Reply reply;
};

// One method of the control protocol.
struct Command {
  std::string_view name;     // "run.submit"
  Role role = Role::admin;   // needed to call it
  std::string_view summary;  // one sentence
  std::vector<Parameter> parameters;
  std::function<void(Call)> handle;  // may throw, or answer later
};

// All methods there are, by name.
class CommandTable {
 public:
  // Throws std::logic_error when a name comes twice.
  explicit CommandTable(std::vector<Command> commands);

  // Null when there is none.
  const Command* find(std::string_view name) const;
  // "did you mean 'run.show'?", or empty.
  std::string suggestion(std::string_view name) const;
  const std::map<std::string_view, Command>& all() const { return commands_; }

 private:
  std::map<std::string_view, Command> commands_;
};

}  // namespace godwit::control
