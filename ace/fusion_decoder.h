#pragma once
#include "nn/attention.h"

namespace ace {

using nn::Variable;
using tensor::Tensor;

/// The forms of the paper's decoder layer: readings of Eq. 3 to 5 (ace/README.md, section 6), and Table 2's, unfused.
struct FusionOptions {
  int64_t width = 512, heads = 8, inner = 2048;
  int64_t encoder_layers = 3;     ///< S
  bool sigmoid_gate = false;      ///< G = σ(C)/S instead of C σ(C)/S
  bool shared_attention = false;  ///< one cross-attention for coarse and fine
  bool fusion = true;             ///< false: plain cross-attention to the last encoder layer
};

/// One decoder layer of ACE (paper section 3.4, Eq. 2–6).  Y [rows, d], E_i and Z [tokens, d]:
///   1. Y ← LN(Y + drop(SelfAttention_causal(Y)))
///   2. C_c = CoarseAttention(Y, Z);   G = (1/S) · C_c ⊙ σ(C_c)                                       (Eq. 2, 3)
///   3. C_i = FineAttention(Y, E_i);   α_i = σ(W_i [Y; C_i] + b_i);   L = Σ_i α_i ⊙ C_i              (Eq. 4, 5)
///   4. Y ← LN(Y + drop(G + L));   Y ← LN(Y + drop(FeedForward(Y)))                                      (Eq. 6)
/// forward sees whole identifiers, step one position of them; they differ in step 1 and have `finish` in common.
class FusionDecoderLayer {
 public:
  FusionDecoderLayer(const FusionOptions& options, nn::Initializer& init);

  /// Keys and values of the encoder side, computed once per query and shared by all its beams.
  struct Memory {
    nn::MultiHeadAttention::Memory coarse;             ///< of Z; without fusion, of E_S
    std::vector<nn::MultiHeadAttention::Memory> fine;  ///< of E_1 … E_S
  };
  /// z is not looked at without fusion.
  Memory memory(std::span<const Variable> encoded, const Variable& z, const Tensor& offsets) const;

  Variable forward(const Variable& y, const Tensor& offsets, const Memory& memory, nn::Pass& pass,
                   const std::string& name) const;

  /// Self-attention's keys and values, [rows, d] each, of every position decoded so far, as they were when it was.
  struct Cache {
    std::vector<Variable> keys, values;
  };
  /// One more position of every row: y [rows, d], whose rows belong to queries as `beams` says, and whose past is at
  /// `ancestors` i32 [positions, rows], this position included. Appends to the cache.
  Variable step(const Variable& y, const Tensor& beams, const Tensor& ancestors, const Memory& memory,
                Cache& cache) const;

  void parameters(const std::string& name, nn::Parameters& into) const;

 private:
  /// Steps 2 to 4 for queries y whose rows belong to encoder sequences as `offsets` says.
  Variable finish(const Variable& y, const Tensor& offsets, const Memory& memory, nn::Pass& pass,
                  const std::string& name) const;
  /// G + L of steps 2 and 3, from C_c and the query that gave it.
  Variable fuse(const Variable& y, const Variable& coarse_query, const Variable& coarse, const Tensor& offsets,
                const Memory& memory, nn::Pass& pass, const std::string& name) const;
  /// G, L and what they are made of, for who listens: computed in plain steps, apart from what the pass goes on with.
  void show(const Variable& coarse, std::span<const Variable> a, std::span<const Variable> c, const nn::Pass& pass,
            const std::string& name) const;
  const nn::MultiHeadAttention& fine_attention() const { return attentions_.back(); }

  FusionOptions options_;
  nn::MultiHeadAttention self_attention_;
  nn::LayerNorm self_attention_norm_;
  std::vector<nn::MultiHeadAttention> attentions_;  ///< coarse and fine, or the one that serves both
  std::vector<nn::Linear> gates_;                   ///< [d, 2d] per encoder layer
  nn::LayerNorm fusion_norm_;
  nn::FeedForward feed_forward_;
  nn::LayerNorm feed_forward_norm_;
};

}  // namespace ace
