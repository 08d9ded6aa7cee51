#pragma once
#include <optional>

#include "ace/fusion_decoder.h"
#include "ace/settings.h"

namespace ace {

/// Sizes and forms of a retriever.
struct RetrieverOptions {
  int64_t vocabulary = 0;            ///< text pieces
  std::vector<int64_t> identifiers;  ///< V_0 … V_{J−1}: sizes of the positions' vocabularies
  int64_t decoder_layers = 3;
  FusionOptions layer;
};
RetrieverOptions retriever_options(const Settings::Model& settings, int64_t vocabulary,
                                   const std::vector<int64_t>& identifiers);

/// The retrieval model (paper section 3.4): text → p(identifier | text), position by position. Parameters carry the
/// names of `retriever.safetensors` (README, "Tensors").
class Retriever {
 public:
  Retriever(RetrieverOptions options, nn::Initializer& init);
  const RetrieverOptions& options() const { return options_; }
  int64_t positions() const { return int64_t(options_.identifiers.size()); }
  /// Where its parameters are, and so where it computes.
  tensor::Device device() const { return embedding_.weight.value().device(); }
  void parameters(const std::string& name, nn::Parameters& into) const;

  /// What the decoder needs of a batch of texts, computed once.
  struct Memory {
    std::vector<FusionDecoderLayer::Memory> layers;
    int64_t queries = 0, dead = 0;  ///< dead: the last of them, as in the batch
  };
  /// Encoder, Z = W [E_1; …; E_S] + b (Eq. 2), and every layer's keys and values.
  Memory encode(const nn::TextBatch& text, nn::Pass& pass) const;

  /// Teacher forcing: logits of position j given the true tokens before it.
  /// identifiers i32 [B, J], B = the memory's queries; result: J tensors [B, V_j].
  std::vector<Variable> forward(const Memory& memory, const Tensor& identifiers, nn::Pass& pass) const {
    return read(memory, inputs(identifiers, memory.queries), pass);
  }
  /// What the decoder reads of identifiers [B, J] on the CPU: i32 [queries·J] rows of its embedding table, 0 for
  /// queries past the B. Then the logits, of the queries that are not dead.
  Tensor inputs(const Tensor& identifiers, int64_t queries) const;
  std::vector<Variable> read(const Memory& memory, const Tensor& inputs, nn::Pass& pass) const;

  /// Decoding position by position, many hypotheses ("beams") a query: what the decoder keeps of the positions before.
  struct State {
    std::vector<FusionDecoderLayer::Cache> caches;
    int64_t position = 0;
  };
  /// The rows of a step. Keys and values stay where they were computed; a choice of rows only changes where the chosen
  /// find their past.
  struct Rows {
    Tensor inputs;     ///< i32 [rows] each row's token of the position before, as embedding_row gives it; first: 0
    Tensor offsets;    ///< i32 [queries + 1]; query q owns rows offsets[q] … offsets[q + 1] − 1
    Tensor ancestors;  ///< i32 [position + 1, rows] which row of position p's step is each row's past; last: itself
  };
  /// Logits [rows, V_position] of the next position.
  Variable step(const Memory& memory, const Rows& rows, State& state) const;

  /// Row of the decoder's embedding table that holds token `token` of position `position`.
  int32_t embedding_row(int64_t position, int32_t token) const { return first_row_[size_t(position)] + token; }

 private:
  RetrieverOptions options_;
  nn::Encoder encoder_;
  std::optional<nn::Linear> fusion_;  ///< [d, S·d]
  nn::Embedding embedding_;           ///< [1 + Σ V_j, d]: the start, then position 0's tokens, position 1's, …
  std::vector<FusionDecoderLayer> layers_;
  std::vector<nn::Linear> heads_;  ///< [V_j, d] per position
  std::vector<int32_t> first_row_;
};

}  // namespace ace
