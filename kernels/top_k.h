#pragma once
#include "kernels/backend.h"
#include "kernels/math.h"
#include "kernels/number.h"
#include "kernels/softmax.h"
#include "kernels/tree.h"

namespace kernels {

/// The rows of a beam search before a step. Query q owns rows q·width … (q + 1)·width − 1, of which the first alive[q]
/// are kept prefixes; nothing is read of the others. What may follow a prefix: the children of node rank[row] of
/// `level`; without one, every token.
template <class T>
struct Beams {
  const T* logits;       ///< [queries·width, vocabulary]: all of them, the normaliser needs those not allowed too
  const double* score;   ///< [queries·width] of the prefix
  const int32_t* rank;   ///< [queries·width] ≥ 0, ascending with the prefix in lexicographic order, within a query
  const int32_t* alive;  ///< [queries]; below 0: the query's scores are not numbers, which its count says again
  int64_t queries, width, vocabulary;
  TreeLevel level = {};  ///< of as many tokens
};

/// One token more for the prefix of `row`.
struct Extension {
  double score;
  int32_t rank, row, token;
  /// Best first: by score, equal scores by the smaller prefix.
  ACE_HD bool operator<(const Extension& other) const {
    if (score != other.score) return score > other.score;
    return rank != other.rank ? rank < other.rank : token < other.token;
  }
};

/// The best k extensions of each query's rows by tokens that may follow, best first:
///   score(row, t) = score(row) + x_t − log Σ_v e^{x_v}          the sum is over the whole vocabulary, allowed or not
/// found [queries, k], of which count[q] are there. An extension of probability 0 (score −∞) is never among them. A row
/// without a log-softmax (a NaN, +∞, or −∞ alone among its logits) makes its query's count −1. k ≥ 1. No two rows of a
/// query have the same rank, so that the order has no ties.
template <class T>
void top_k(Cpu, const Beams<T>& beams, int64_t k, Extension* found, int32_t* count);
/// On the GPU in f32, f64, f16 and bf16, with k and width up to top_k_most.
template <class T>
void top_k(Cuda, const Beams<T>& beams, int64_t k, Extension* found, int32_t* count);
inline constexpr int64_t top_k_most = 2048;

/// All extensions, sorted: the oracle of the fast one. scratch: width × vocabulary.
template <class T>
void top_k_plain(const Beams<T>& beams, int64_t k, Extension* found, int32_t* count, Extension* scratch);

/// Word w of the mask of the tokens that may follow a row.
template <class T>
ACE_HD uint64_t allowed_word(const Beams<T>& beams, int64_t row, int64_t w) {
  if (beams.level) return tree_mask_word(beams.level, beams.rank[row], w);
  return mask_of_first(beams.vocabulary, w);
}

}  // namespace kernels
