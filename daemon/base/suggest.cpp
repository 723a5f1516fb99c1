#include "base/suggest.hpp"

#include <algorithm>
#include <numeric>

namespace godwit::base {
namespace {

// Levenshtein distance, where a swap of neighbours costs two.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string suggest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > 64) return {};
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  const std::string* best = nullptr;
  for (const auto& candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < best_distance && d < candidate.size()) {
      best_distance = d;
      best = &candidate;
    }
  }
  return best ? "did you mean '" + *best + "'?" : std::string();
}

}  // namespace godwit::base
