#pragma once
#include <string>

#include "model/job.hpp"

namespace godwit::jobfile {

// The stages in the order they can start, as text for a terminal, and as a graph for Graphviz' dot.
std::string graph_text(const model::Job& job);
std::string graph_dot(const model::Job& job);

}  // namespace godwit::jobfile
