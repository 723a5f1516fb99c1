#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"
#include "lab/memory_store.hpp"

namespace godwit::lab {

namespace json = base::json;

// What the journal says of a run, without what differs from one time to the next (instants, the order in which branches
// ended): {job, state, result, error, failed_step, steps: {path: {state, output, error, emitted}}}.
json::object journal_view(const Memory::Run& run);
// The same for every run of the memory: a job and the jobs it called.
json::array journal_view(const Memory& memory);

// Where the journals of two stories of one test differ, one line for each place. Instants that each story had from its
// own clock may differ: they say how long calls took.
std::vector<std::string> journal_differences(const Memory& expected, const Memory& got);

// What two forms of one job, YAML and Lua, have in common: the steps that were made, by their names without the
// branches they stand in.
json::object common_view(const Memory::Run& run);

// {"code","message"}.
json::object failure_view(const model::Failure& failure);

}  // namespace godwit::lab
