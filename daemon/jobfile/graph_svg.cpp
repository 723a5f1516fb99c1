#include <fmt/format.h>

#include <algorithm>

#include "base/terminal.hpp"
#include "jobfile/graph.hpp"
#include "jobfile/graph_layout.hpp"
#include "jobfile/graph_node.hpp"

namespace godwit::jobfile {
namespace {

constexpr double kMargin = 20;
constexpr double kHeading = 34;
constexpr double kPadding = 14;
constexpr double kLine = 16;
constexpr double kStackStep = 4;  // between the sheets of a stage with many items
constexpr std::size_t kTextMax = 44;

constexpr std::string_view kStyle = R"(
  .ground { fill: #ffffff }
  text { font-family: system-ui, "DejaVu Sans", sans-serif; fill: #1f2933 }
  .title { font-size: 15px; font-weight: 600 }
  .name { font-size: 13px; font-weight: 600 }
  .uses { font-size: 11px; font-family: ui-monospace, "DejaVu Sans Mono", monospace; fill: #52606d }
  .note { font-size: 10px; fill: #7b8794 }
  .box { fill: #f7f9fb; stroke: #9fb3c8; stroke-width: 1.2 }
  .maybe { stroke-dasharray: 5 3 }
  .arrow { fill: none; stroke: #829ab1; stroke-width: 1.4 }
  .head { fill: #829ab1 }
  .call { fill: #3e7cb1 } .wait { fill: #d9822b } .run { fill: #7b5ea7 } .rows { fill: #2f8f5b }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #16191d }
    text { fill: #e4e7eb }
    .uses { fill: #9aa5b1 }
    .note { fill: #7b8794 }
    .box { fill: #22272e; stroke: #52606d }
  }
)";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '&')
      result += "&amp;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

// How wide a text is likely to be drawn: fonts differ, so rather too wide.
double width_of(std::string_view text, double per_character) {
  return static_cast<double>(base::display_width(text)) * per_character;
}

GraphLayout::Box box_of(const GraphNode& node) {
  double width = std::max(width_of(node.name, 8.2), width_of(node.does, 7.0));
  for (const auto& note : node.notes) width = std::max(width, width_of(note, 5.9));
  const auto lines = 1 + (node.does.empty() ? 0 : 1) + static_cast<double>(node.notes.size());
  return {.width = width + 2 * kPadding, .height = lines * kLine + kPadding, .needs = node.needs};
}

std::string rectangle(const GraphLayout::Box& box, double shift, std::string_view classes) {
  return fmt::format("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"7\"/>\n",
                     classes, box.x + shift, box.y + shift, box.width, box.height);
}

std::string line(double x, double y, std::string_view classes, std::string_view text) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", classes, x, y, escaped(text));
}

std::string drawn(const GraphLayout::Box& box, const GraphNode& node) {
  std::string text = fmt::format("<g><title>{}</title>\n", escaped(node.name));
  const std::string classes = node.conditional ? "box maybe" : "box";
  if (node.many) text += rectangle(box, 2 * kStackStep, classes) + rectangle(box, kStackStep, classes);
  text += rectangle(box, 0, classes);
  text += fmt::format("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"4\" height=\"{:.1f}\" rx=\"2\"/>\n",
                      name(node.kind), box.x + 4, box.y + 6, box.height - 12);
  const double x = box.x + kPadding + 2;
  double y = box.y + kPadding / 2 + 12;
  text += line(x, y, "name", node.name);
  if (!node.does.empty()) text += line(x, y += kLine, "uses", node.does);
  for (const auto& note : node.notes) text += line(x, y += kLine, "note", note);
  return text + "</g>\n";
}

// Curves that leave and reach the boxes level.
std::string drawn(const GraphLayout::Arrow& arrow) {
  const auto& points = arrow.points;
  const double head = 7;
  std::string path = fmt::format("M {:.1f} {:.1f}", points.front().x, points.front().y);
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto from = points[i - 1];
    auto to = points[i];
    if (i + 1 == points.size()) to.x -= head;
    const double bend = (to.x - from.x) / 2;
    path += fmt::format(" C {:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", from.x + bend, from.y, to.x - bend, to.y, to.x,
                        to.y);
  }
  const auto tip = points.back();
  return fmt::format(
      "<path class=\"arrow\" d=\"{}\"/>\n<path class=\"head\" d=\"M {:.1f} {:.1f} l -{} -4 l 0 8 z\"/>\n", path, tip.x,
      tip.y, head);
}

}  // namespace

std::string graph_svg(const model::Job& job) {
  auto nodes = graph_nodes(job);
  for (auto& node : nodes) {
    node.name = base::fit(node.name, kTextMax);
    node.does = base::fit(node.does, kTextMax);
    for (auto& note : node.notes) note = base::fit(note, kTextMax);
  }
  std::vector<GraphLayout::Box> boxes;
  for (const auto& node : nodes) boxes.push_back(box_of(node));
  const GraphLayout layout = lay_out(std::move(boxes));
  const double width = std::max(layout.width, width_of(job.name, 9.5)) + 2 * kMargin + 2 * kStackStep;
  const double height = layout.height + kHeading + 2 * kMargin + 2 * kStackStep;
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
      "{1:.0f}\">\n"
      "<style>{2}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n",
      width, height, kStyle);
  text += line(kMargin, kMargin + 12, "title", job.name);
  text += fmt::format("<g transform=\"translate({} {})\">\n", kMargin, kMargin + kHeading);
  for (const auto& arrow : layout.arrows) text += drawn(arrow);
  for (std::size_t i = 0; i < nodes.size(); ++i) text += drawn(layout.boxes[i], nodes[i]);
  return text + "</g>\n</svg>\n";
}

}  // namespace godwit::jobfile
