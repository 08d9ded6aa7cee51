#pragma once
#include "kernels/backend.h"
#include "kernels/math.h"
#include "kernels/number.h"
#include "kernels/team.h"

namespace kernels {

/// The rows of a beam search before a step. Query q owns rows offsets[q] … offsets[q + 1] − 1, each a kept prefix.
template <class T>
struct Beams {
  const T* logits;         ///< [rows, vocabulary]: all of them, the normaliser needs those that are not allowed too
  const double* score;     ///< [rows] of the prefix
  const int32_t* rank;     ///< [rows] ascending with the prefix in lexicographic order, within a query
  const uint64_t* mask;    ///< [rows, mask_words(vocabulary)] tokens that may follow (tree.h); null: every token
  const int32_t* offsets;  ///< [queries + 1]
  int64_t queries, vocabulary;
};

/// One token more for the prefix of `row`.
struct Extension {
  double score;
  int32_t rank, row, token;
  /// Best first: by score, equal scores by the smaller prefix.
  bool operator<(const Extension& other) const {
    if (score != other.score) return score > other.score;
    return rank != other.rank ? rank < other.rank : token < other.token;
  }
};

/// The best k extensions of each query's rows by tokens that may follow, best first:
///   score(row, t) = score(row) + x_t − log Σ_v e^{x_v}          the sum is over the whole vocabulary, before the mask
/// found [queries, k], of which count[q] are there. An extension of probability 0 (score −∞) is never among them. A row
/// without a log-softmax (a NaN, +∞, or −∞ alone among its logits) makes its query's count −1. k ≥ 1.
/// scratch: top_k_scratch(k, threads of the team).
template <class T>
void top_k(Cpu, const Beams<T>& beams, int64_t k, Extension* found, int32_t* count, Extension* scratch);
int64_t top_k_scratch(int64_t k, int threads);

/// All extensions, sorted: the oracle of the fast one. scratch: rows of the largest query × vocabulary.
template <class T>
void top_k_plain(const Beams<T>& beams, int64_t k, Extension* found, int32_t* count, Extension* scratch);

/// What makes a row's logits log-probabilities: x_t − total. `best` is the largest logit. The lambdas hold x by value:
/// behind a reference, compilers do not see that its elements stand side by side.
template <class A>
struct Normaliser {
  A best, total;
};
template <class Team, class T>
ACE_HD Normaliser<Accumulator<T>> normaliser_of(Team team, const T* x, int64_t cols) {
  using A = Accumulator<T>;
  const A m = team.max(cols, [=](int64_t i) { return A(x[i]); });
  return {m, m + log(team.sum(cols, [=](int64_t i) { return exp(A(x[i]) - m); }))};
}

}  // namespace kernels
