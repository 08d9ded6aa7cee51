#pragma once
#include <vector>

#include "nn/quantiser.h"

namespace ace {

/// Keeps the codebooks of a residual quantiser alive, of which the paper says nothing. It counts for how many steps
/// each entry went unused; one that reaches the limit is re-drawn: it becomes the residual of the batch that its
/// codebook reconstructs worst, and is counted anew. Several that are due at once take different residuals. Codes are
/// looked at when an entry may be due, and not at each step: on a GPU that would be waiting for it.
class Redraw {
 public:
  /// limit 0: never.
  Redraw(const nn::ResidualQuantiser& quantiser, int64_t limit);
  /// After a step on `batch`, what the quantiser made of it. Returns how many entries were re-drawn.
  int64_t apply(const nn::ResidualQuantiser& quantiser, const nn::Quantised& batch);

 private:
  using Codes = std::vector<tensor::Tensor>;
  /// Codebook m's entries that are due, with the unseen steps.
  std::vector<int32_t> count(size_t m);

  int64_t limit_;
  std::vector<std::vector<int64_t>> idle_;  ///< by codebook and entry: steps since its last use
  int64_t longest_ = 0;                     ///< of them
  std::vector<Codes> unseen_;               ///< of the steps since these were counted
};

}  // namespace ace
