#pragma once
#include <span>
#include <string_view>

namespace ace {

/// The candidate with the fewest edits (insert, delete, replace, swap of neighbours) from `word`; ties to the first.
/// A candidate that `word` abbreviates (`evaluate` for `eval`, `kmeans.clusters` for `clusters`) counts as one edit.
/// Empty when there are no candidates.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace ace
