#pragma once
#include "ace/retriever.h"

namespace ace {

/// The training objective (paper section 3.5, Eq. 7 and 8; R-Drop, Liang et al. 2021).
struct Objective {
  Variable loss;  ///< ½ (NLL_P + NLL_Q) + ω kl: gradients go through this one
  Variable nll;   ///< ½ (NLL_P + NLL_Q): −log p(t_j), averaged over positions and batch
  Variable kl;    ///< KL(P‖Q) + KL(Q‖P), averaged likewise; undefined with one pass
};

/// Training pairs as the model reads them.
struct Pairs {
  nn::TextBatch text;  ///< B texts, for two passes 2B; on a GPU padded
  Tensor inputs;       ///< i32 [texts·J] what the decoder reads (Retriever::inputs)
  Tensor targets;      ///< i32 [J, B]
};
/// Made on the CPU, for the model's device. identifiers i32 [B, J].
Pairs pairs_of(const Retriever& model, std::span<const std::vector<int32_t>> texts, const Tensor& identifiers,
               bool two_passes);

/// Two passes with independent dropout, made as one pass over both copies of the batch: rows 0 … B−1 are P, B … 2B−1
/// are Q. With ω = 0 one pass is made and its NLL is the loss.
Objective objective(const Retriever& model, const Pairs& pairs, double omega, nn::Pass& pass);
Objective objective(const Retriever& model, std::span<const std::vector<int32_t>> texts, const Tensor& identifiers,
                    double omega, nn::Pass& pass);

/// The same loss from given logits: J tensors [2B, V_j] (or [B, V_j] when there is one pass).
Objective objective_of(const std::vector<Variable>& logits, const Tensor& identifiers, double omega, bool two_passes);

}  // namespace ace
