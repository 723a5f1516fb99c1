#include "jobfile/choice.hpp"

#include <algorithm>

namespace godwit::jobfile {

std::optional<std::vector<std::string>> required_only(const json::value& schema) {
  const auto* object = schema.if_object();
  const auto* required = object && object->size() == 1 ? object->if_contains("required") : nullptr;
  const auto* list = required ? required->if_array() : nullptr;
  if (!list || list->empty()) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& name : *list) {
    if (!name.is_string()) return std::nullopt;
    names.emplace_back(name.get_string());
  }
  return names;
}

std::optional<Choice> Choice::of(const json::object& schema, std::string_view keyword) {
  const auto* branches = schema.if_contains(keyword);
  const auto* list = branches ? branches->if_array() : nullptr;
  if (!list || list->empty()) return std::nullopt;
  Choice choice;
  choice.only_one_ = keyword == "oneOf";
  for (const auto& branch : *list) {
    auto names = required_only(branch);
    if (!names) return std::nullopt;
    choice.sets_.push_back(std::move(*names));
  }
  return choice;
}

bool Choice::names(std::string_view name) const {
  return std::any_of(sets_.begin(), sets_.end(),
                     [&](const auto& set) { return std::find(set.begin(), set.end(), name) != set.end(); });
}

std::string Choice::complaint(const json::object& object) const {
  const auto given = std::count_if(sets_.begin(), sets_.end(), [&](const auto& set) {
    return std::all_of(set.begin(), set.end(), [&](const auto& name) { return object.contains(name); });
  });
  if (given == 1 || (given > 1 && !only_one_)) return {};
  std::string text;
  for (const auto& set : sets_) {
    std::string together;
    for (const auto& name : set) together += (together.empty() ? "" : " and ") + name;
    text += (text.empty() ? "" : ", ") + together;
  }
  return (given > 1 ? "give only one of: " : "give one of: ") + text;
}

}  // namespace godwit::jobfile
