#pragma once
#include "ace/retriever.h"
#include "ace/trie.h"

namespace ace {

/// One identifier that a search found.
struct Hypothesis {
  double score = 0;             ///< log p(identifier | query): Σ_j log-softmax over the whole vocabulary of position j
  std::vector<int32_t> tokens;  ///< [J]
  int32_t item = -1;            ///< −1: no item has it (unconstrained search only)
};

struct BeamOptions {
  int64_t beam = 50;
  bool constrained = true;  ///< only prefixes that the trie knows
};

/// Beam search over identifiers (spec section 7): at each position every kept prefix is extended by its children in the
/// trie (by every token, when unconstrained), and the best `beam` extensions are kept; equal scores prefer the
/// lexicographically smaller prefix, in the final list the smaller item. Scores are normalised over the whole
/// vocabulary before the restriction, so a step needs all logits of its position, not only the allowed ones. Per query
/// at most `beam` distinct hypotheses, best first; fewer when the tree has fewer. An extension of probability 0 is
/// never kept. Deterministic; each query's result is its own, whatever it is batched with.
std::vector<std::vector<Hypothesis>> beam_search(const Retriever& model, const nn::TextBatch& text, const Trie& trie,
                                                 const BeamOptions& options);

/// log p of every identifier of `identifiers` [N, J] for each text: [B, N] f64; by teacher forcing, so N should be
/// small.
Tensor score_identifiers(const Retriever& model, const nn::TextBatch& text, const Tensor& identifiers);

}  // namespace ace
