#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ace/rows.h"
#include "ace/settings.h"

namespace ace {

/// The ID table (paper section 3.2.3): one row of J tokens per item, unique by construction.
struct Identifiers {
  tensor::Tensor tokens;            ///< [N, J] i32
  std::vector<int64_t> vocabulary;  ///< [J] sizes: K, C, …, C, U (…, U)
  int64_t items() const { return tokens.size(0); }
  int64_t positions() const { return tokens.size(1); }
  std::span<const int32_t> row(int64_t item) const {
    return tokens.values<int32_t>().subspan(size_t(item * positions()), size_t(positions()));
  }
};

/// Fails unless `tokens` is [N, J] i32 with one vocabulary size per position and every token inside its vocabulary.
/// `origin` names the table in messages.
void check_tokens(const tensor::Tensor& tokens, const std::vector<int64_t>& vocabulary,
                  const std::string& origin = "identifiers");

/// Appends the unique token: the counter of earlier items with the same prefix, in item order. U = the next power of
/// two above the largest counter, at least 4, at most `unique` (a power of two); more items than that are counted in
/// several base-U digits, most significant first. prefixes: [N, P] i32 with the given vocabulary sizes.
Identifiers add_unique(const tensor::Tensor& prefixes, const std::vector<int64_t>& vocabulary, int64_t unique);

/// Hierarchical K-Means, in place of the RQ-VAE's tokens (paper, Table 2): cluster the rows of x into K ≥ 2, each
/// cluster again, until a leaf holds at most `leaf` items; the last token counts within the leaf; rows are padded to
/// one length with token 0.
Identifiers hierarchical_identifiers(const Rows& x, const Settings::KMeans& settings, int64_t leaf, uint64_t seed);

/// How well the codes spread: what `identify` prints and stores.
struct CodeUse {
  int64_t entries = 0, used = 0;
  double perplexity = 0;     ///< exp(entropy)
  double entropy_ratio = 0;  ///< entropy / ln(entries); 1 for a vocabulary of one
  double coverage() const { return entries > 0 ? double(used) / double(entries) : 0; }
  int64_t dead() const { return entries - used; }
};
struct IdentifierQuality {
  int64_t items = 0;
  std::vector<CodeUse> positions;  ///< of the prefix positions
  double collision_rate = 0;       ///< share of items that share their prefix with another
  int64_t largest_bucket = 0;
  double capacity = 0;  ///< number of prefixes the grid has
  std::string advice;   ///< which K, C, M would do, when the grid is too small; else empty
};
/// `prefix` = how many leading positions are the prefix; `coarse`: the first of them is the K-Means token (scheme
/// "ace"). The grid is too small when more than one item in twenty would share its prefix even if all prefixes were
/// equally likely: 1 − (1 − 1/capacity)^(N−1).
IdentifierQuality identifier_quality(const Identifiers& identifiers, int64_t prefix, bool coarse = true);

}  // namespace ace
