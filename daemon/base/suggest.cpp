#include "base/suggest.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace godwit::base {
namespace {

// How many letters were added, left out, mistaken or swapped with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

// Whether the letters of `part` are in `whole`, in their order.
bool is_within(std::string_view part, std::string_view whole) {
  for (const char letter : whole)
    if (!part.empty() && part.front() == letter) part.remove_prefix(1);
  return part.empty();
}

// How far from it a word may be to be taken for one: two mistakes in a short word leave nothing of it, unless letters
// are only missing.
std::size_t farthest(std::string_view word, std::string_view candidate) {
  constexpr std::size_t kShort = 4;
  if (word.size() <= kShort && !(word.size() > 2 && is_within(word, candidate))) return 1;
  return std::max<std::size_t>(2, word.size() / 3);
}

}  // namespace

std::string suggest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > 64) return {};
  std::size_t best_distance = word.size() + 1;
  const std::string* best = nullptr;
  for (const auto& candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < best_distance && d < candidate.size() && d <= farthest(word, candidate)) {
      best_distance = d;
      best = &candidate;
    }
  }
  return best ? "did you mean '" + *best + "'?" : std::string();
}

}  // namespace godwit::base
