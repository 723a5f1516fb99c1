#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "wire/manifest.hpp"

namespace godwit::wire {

// The contracts of sdk/contracts, which are part of this program, by name: "flight-search/1". Null for one that is not
// known.
const base::json::object* find_contract(std::string_view name);
std::vector<std::string> contract_names();

// What is missing or different where a unit claims a contract that is known: methods, their promise to be repeatable,
// and parameters that its own schema does not take. `file` is where the manifest stands.
std::vector<base::Error::Problem> contract_problems(const Unit& unit, const std::string& file);

}  // namespace godwit::wire
