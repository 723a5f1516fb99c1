#include "jobfile/place_finder.hpp"

#include <cstdlib>

namespace godwit::jobfile {
namespace {

using config::YamlNode;

bool ends_step(std::string_view rest) {
  return rest.empty() || rest.front() == '.' || rest.front() == '[';
}

// The member that the path goes on with. Keys may hold dots themselves ("a.b: 1"), so the longest that fits is meant.
const YamlNode::Member* next_member(const YamlNode& map, std::string_view path) {
  const YamlNode::Member* found = nullptr;
  for (const auto& member : map.members)
    if (path.starts_with(member.key) && ends_step(path.substr(member.key.size())) &&
        (!found || member.key.size() > found->key.size()))
      found = &member;
  return found;
}

// The item of "[3]...", and what follows it in the path.
const YamlNode* next_item(const YamlNode& list, std::string_view& path) {
  const auto end = path.find(']');
  if (path.empty() || path.front() != '[' || end == std::string_view::npos) return nullptr;
  const std::size_t index = std::strtoul(std::string(path.substr(1, end - 1)).c_str(), nullptr, 10);
  path.remove_prefix(end + 1);
  return index < list.items.size() ? &list.items[index] : nullptr;
}

}  // namespace

base::Place find_place(const config::YamlDocument& document, const std::string& path) {
  const YamlNode* node = &document.root();
  base::Place place = document.place(*node, path);
  for (std::string_view rest = path; !rest.empty();) {
    if (rest.front() == '.') rest.remove_prefix(1);
    if (node->kind == YamlNode::Kind::list) {
      node = next_item(*node, rest);
    } else {
      const auto* member = next_member(*node, rest);
      if (member) rest.remove_prefix(member->key.size());
      node = member ? &member->value : nullptr;
      // An empty value has no place of its own.
      if (node && node->is_null()) return document.place(*member, path);
    }
    if (!node) return place;
    place = document.place(*node, path);
  }
  return place;
}

void find_places(const model::Job& job, std::vector<base::Error::Problem>& problems) {
  if (job.script) {
    for (auto& problem : problems) problem.place.file = job.file;
    return;
  }
  const config::YamlDocument document(job.text, job.file);
  for (auto& problem : problems) problem.place = find_place(document, problem.place.path);
}

}  // namespace godwit::jobfile
