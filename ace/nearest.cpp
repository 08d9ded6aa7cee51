#include "ace/nearest.h"

#include <algorithm>
#include <vector>

namespace ace {
namespace {

/// Optimal string alignment distance, by rows: d[i][j] between the first i and the first j characters.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

/// `train` for `tr`, `kmeans.clusters` for `clusters`.
bool abbreviates(std::string_view word, std::string_view candidate) {
  if (word.size() < 2 || candidate.size() <= word.size()) return false;
  return candidate.starts_with(word) ||
         (candidate.ends_with(word) && candidate[candidate.size() - word.size() - 1] == '.');
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  word = word.substr(0, 64);  // no name is longer: keeps hostile words cheap
  std::string_view best;
  size_t fewest = size_t(-1);
  for (const std::string_view candidate : candidates) {
    const size_t edits = abbreviates(word, candidate) ? 1 : distance(word, candidate);
    if (edits < fewest) fewest = edits, best = candidate;
  }
  return best;
}

}  // namespace ace
