#pragma once
#include "nn/attention.h"

namespace ace {

struct DualTowerOptions {
  int64_t vocabulary = 0;  ///< text pieces
  int64_t width = 512, heads = 8, inner = 2048, layers = 3;
  int64_t item_width = 1024;  ///< D: of the vectors that items have
};

/// What the paper is compared with (section 4.4, Fig. 4): the query becomes a vector in the space of the items'
/// vectors, and every item is compared with it. The encoder is that of the retriever.
///   y = W (1/T) Σ_t E_S[t] + b,   q = y / ‖y‖
class DualTower {
 public:
  DualTower(const DualTowerOptions& options, nn::Initializer& init);
  /// Texts as rows of length 1: f32 [B, D]. Usable from several threads.
  tensor::Tensor embed(const nn::TextBatch& text) const;
  /// y, before it is scaled to length 1  [B, D]
  nn::Variable project(const nn::TextBatch& text, nn::Pass& pass) const;
  void parameters(const std::string& name, nn::Parameters& into) const;

 private:
  int64_t heads_;
  nn::Encoder encoder_;
  nn::Linear projection_;  ///< [D, d]
};

/// The mean of each sequence's rows: x [rows, d], offsets i32 [B + 1] → [B, d].
nn::Variable mean_pool(const nn::Variable& x, const tensor::Tensor& offsets, int64_t heads = 1);

/// An item and its inner product with a query.
struct Match {
  float score = 0;
  int32_t item = -1;
  bool operator==(const Match&) const = default;
};
/// The `top` items of largest inner product with each query, best first; of equal ones the smaller item. Exact: every
/// item is compared. A product that is not a number is no match. queries f32 [Q, D], items f32 [N, D], N < 2³¹.
std::vector<std::vector<Match>> best_items(const tensor::Tensor& queries, const tensor::Tensor& items, int64_t top);

}  // namespace ace
