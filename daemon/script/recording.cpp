#include "script/recording.hpp"

#include <algorithm>
#include <charconv>

namespace godwit::script {
namespace {

// The slash that parts scope and name: the last one outside of brackets.
std::size_t last_slash(const std::string& path) {
  int depth = 0;
  for (std::size_t i = path.size(); i-- > 0;) {
    if (path[i] == ']') ++depth;
    if (path[i] == '[') --depth;
    if (path[i] == '/' && depth == 0) return i;
  }
  return std::string::npos;
}

// "0..999" as two numbers.
bool parse_range(std::string_view text, std::size_t& from, std::size_t& to) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto first = std::from_chars(text.data(), text.data() + dots, from);
  const auto second = std::from_chars(text.data() + dots + 2, text.data() + text.size(), to);
  return first.ec == std::errc() && first.ptr == text.data() + dots && second.ec == std::errc() &&
         second.ptr == text.data() + text.size();
}

}  // namespace

StepPlace place_of(const std::string& path) {
  StepPlace place;
  const std::size_t slash = last_slash(path);
  const std::string last = slash == std::string::npos ? path : path.substr(slash + 1);
  if (slash != std::string::npos) place.scope = path.substr(0, slash);
  const std::size_t bracket = last.find('[');
  if (bracket != std::string::npos && last.back() == ']') {
    const std::string_view inside = std::string_view(last).substr(bracket + 1, last.size() - bracket - 2);
    place.folded = parse_range(inside, place.from, place.to);
    if (!inside.empty() && !place.folded) {
      place.scope = path;
      return place;
    }
  }
  place.name = last;
  if (place.folded) {
    place.base_name = last.substr(0, bracket);
  } else {
    place.base_name = last.substr(0, last.find('~'));
    if (last.ends_with("[]") && !place.base_name.ends_with("[]")) place.base_name += "[]";
  }
  return place;
}

void Recording::add(RecordedStep step) {
  Entry& entry = entries_.emplace_back();
  entry.place = place_of(step.path);
  entry.step = std::move(step);
  entry.order = entries_.size();
  scopes_[entry.place.scope].entries.push_back(&entry);
  ++left_;
}

Recording::Entry* Recording::find(const std::string& scope, const std::string& base_name, bool own, std::int64_t hash) {
  const auto found = scopes_.find(scope);
  if (found == scopes_.end()) return nullptr;
  ScopeEntries& all = found->second;
  for (std::size_t i = all.first; i < all.entries.size(); ++i) {
    Entry& entry = *all.entries[i];
    if (entry.consumed || entry.place.folded || entry.step.hash != hash) continue;
    if (entry.place.name.empty() ? own : entry.place.base_name == base_name) return &entry;
  }
  return nullptr;
}

Recording::Entry* Recording::find_exactly(const std::string& scope, const std::string& name, std::int64_t hash) {
  const auto found = scopes_.find(scope);
  if (found == scopes_.end()) return nullptr;
  for (Entry* entry : found->second.entries)
    if (!entry->consumed && entry->step.hash == hash && entry->place.name == name) return entry;
  return nullptr;
}

const Recording::Entry* Recording::unconsumed(const std::string& scope) {
  const auto found = scopes_.find(scope);
  if (found == scopes_.end() || found->second.forgiven) return nullptr;
  ScopeEntries& all = found->second;
  while (all.first < all.entries.size() && all.entries[all.first]->consumed) ++all.first;
  return all.first == all.entries.size() ? nullptr : all.entries[all.first];
}

void Recording::consume(Entry& entry) {
  if (entry.consumed) return;
  entry.consumed = true;
  --left_;
}

std::vector<Recording::Entry*> Recording::folded(const std::string& scope, const std::string& loop) {
  std::vector<Entry*> result;
  const auto found = scopes_.find(scope);
  if (found == scopes_.end()) return result;
  for (Entry* entry : found->second.entries)
    if (entry->place.folded && entry->place.base_name == loop) result.push_back(entry);
  std::sort(result.begin(), result.end(), [](const Entry* a, const Entry* b) { return a->place.from < b->place.from; });
  return result;
}

std::vector<const Recording::Entry*> Recording::forgive_below(const std::string& scope) {
  std::vector<const Entry*> forgiven;
  for (auto& [path, all] : scopes_) {
    if (path != scope && !path.starts_with(scope + "/")) continue;
    all.forgiven = true;
    for (Entry* entry : all.entries) {
      consume(*entry);
      forgiven.push_back(entry);
    }
  }
  return forgiven;
}

const Recording::Entry* Recording::any_unconsumed() const {
  if (left_ == 0) return nullptr;
  for (const Entry& entry : entries_)
    if (!entry.consumed) return &entry;
  return nullptr;
}

}  // namespace godwit::script
