#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "ace/settings.h"
#include "tensor/tensor.h"

namespace ace {

/// The ID table (spec section 4): one row of J tokens per item, unique by construction.
struct Identifiers {
  tensor::Tensor tokens;            ///< [N, J] i32
  std::vector<int64_t> vocabulary;  ///< [J] sizes: K, C, …, C, U (…, U)
  int64_t items() const { return tokens.size(0); }
  int64_t positions() const { return tokens.size(1); }
  std::span<const int32_t> row(int64_t item) const {
    return tokens.values<int32_t>().subspan(size_t(item * positions()), size_t(positions()));
  }
};

/// Appends the unique token: the counter of earlier items with the same prefix, in item order. U = the next power of
/// two above the largest counter, at least 4, at most `unique`; more items than that are counted in several base-U
/// digits. prefixes: [N, P] i32 with the given vocabulary sizes.
Identifiers add_unique(const tensor::Tensor& prefixes, const std::vector<int64_t>& vocabulary, int64_t unique);

/// Hierarchical K-Means (spec section 9, table 2): cluster into K, each cluster again, until a leaf holds at most
/// `leaf` items; the last token counts within the leaf; rows are padded to one length with token 0.
Identifiers hierarchical_identifiers(const tensor::Tensor& x, int64_t clusters, int64_t leaf, uint64_t seed);

/// How well the codes spread (spec section 4): what `identify` prints and stores.
struct CodeUse {
  int64_t entries = 0, used = 0;
  double perplexity = 0;     ///< exp(entropy)
  double entropy_ratio = 0;  ///< entropy / ln(entries)
};
struct IdentifierQuality {
  int64_t items = 0;
  std::vector<CodeUse> positions;  ///< of the prefix positions
  double collision_rate = 0;       ///< share of items that share their prefix with another
  int64_t largest_bucket = 0;
  double capacity = 0;  ///< number of prefixes the grid has
  std::string advice;   ///< which K, C, M would do, when the grid is too small; else empty
};
/// `prefix` = how many leading positions are the prefix.
IdentifierQuality identifier_quality(const Identifiers& identifiers, int64_t prefix);

}  // namespace ace
