#include "expression/scope.hpp"

#include <algorithm>

namespace godwit::expression {

const json::value* Scope::Root::find_member(std::string_view key) const {
  const auto at = std::lower_bound(members.begin(), members.end(), key,
                                   [](const auto& member, std::string_view k) { return member.first < k; });
  return at != members.end() && at->first == key ? at->second : nullptr;
}

Scope::Root& Scope::own(std::string_view root) {
  for (auto& known : roots_)
    if (known.name == root) return known;
  return roots_.emplace_back(Root{std::string(root), nullptr, {}});
}

void Scope::set(std::string_view root, const json::value& value) {
  Root& entry = own(root);
  entry.whole = &value;
  entry.members.clear();
}

void Scope::set_member(std::string_view root, std::string_view key, const json::value& value) {
  Root& entry = own(root);
  entry.whole = nullptr;
  const auto at = std::lower_bound(entry.members.begin(), entry.members.end(), key,
                                   [](const auto& member, std::string_view k) { return member.first < k; });
  if (at != entry.members.end() && at->first == key) {
    at->second = &value;
  } else {
    entry.members.emplace(at, std::string(key), &value);
  }
}

const Scope::Root* Scope::find(std::string_view root) const {
  for (const Scope* scope = this; scope; scope = scope->parent_)
    for (const auto& entry : scope->roots_)
      if (entry.name == root) return &entry;
  return nullptr;
}

std::vector<std::string> Scope::names() const {
  std::vector<std::string> result;
  for (const Scope* scope = this; scope; scope = scope->parent_)
    for (const auto& entry : scope->roots_) result.push_back(entry.name);
  return result;
}

}  // namespace godwit::expression
