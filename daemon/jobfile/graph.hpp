#pragma once
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "model/job.hpp"

namespace godwit::jobfile {

// The stages of a job and what they need: in the order they can start, as text for a terminal; as a graph for Graphviz'
// dot; as a picture.
std::string graph_text(const model::Job& job);
std::string graph_dot(const model::Job& job);
std::string graph_svg(const model::Job& job);

inline constexpr std::array<std::pair<std::string_view, std::string (*)(const model::Job&)>, 3> kGraphFormats{
    {{"text", graph_text}, {"dot", graph_dot}, {"svg", graph_svg}}};
base::Error no_graph_of_script(const std::string& file);
// In the format of that name. Throws Error(refused) for another one, and for a Lua job.
std::string draw_graph(const model::Job& job, const std::string& format);

}  // namespace godwit::jobfile
