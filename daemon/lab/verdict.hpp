#pragma once
#include <string>
#include <vector>

#include "expression/language.hpp"
#include "lab/story.hpp"
#include "lab/test_file.hpp"

namespace godwit::lab {

// Where a run is not as its test expects it, in lines for a person; empty when all is well.
std::vector<std::string> verdict(const Expectation& expect, const Outcome& outcome, expression::Language& language);

}  // namespace godwit::lab
