#pragma once
#include <string_view>
#include <vector>

#include "expression/compiled.hpp"
#include "expression/token.hpp"

namespace godwit::expression {

// The names `tokens` read from outside: every name that is neither declared in the expression nor a function of the
// language. Sorted, each once.
std::vector<Reference> find_references(const std::vector<Token>& tokens);
// What they read, each time they do: the name and the members and indexes that stand fixed behind it, so that
// stages.many.items[#list] reads stages.many.items.
std::vector<std::vector<PathStep>> find_reads(const std::vector<Token>& tokens);
// The steps of an expression that is only a path (item[1].origin), else empty.
std::vector<PathStep> find_path(const std::vector<Token>& tokens);

}  // namespace godwit::expression
