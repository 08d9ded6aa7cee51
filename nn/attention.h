#pragma once
#include "nn/layers.h"
#include "nn/sequence.h"

namespace nn {

/// Multi-head attention with projections of queries, keys, values and output; head i owns rows i·d/h … (i+1)·d/h of
/// the first three.
struct MultiHeadAttention {
  MultiHeadAttention(int64_t width, int64_t heads, Initializer& init)
      : heads(heads),
        query(width, width, init),
        key(width, width, init),
        value(width, width, init),
        output(width, width, init) {}

  /// What the attended side gives, ready to be shared by many queries: K = W_k X, V = W_v X.  [rows, d] each
  struct Memory {
    Variable keys, values;
    Tensor offsets;
  };
  Memory memory(const Variable& x, const Tensor& offsets) const { return {key(x), value(x), offsets}; }

  /// W_o softmax(Q Kᵀ / √(d/h)) V of the queries y [rows, d], sequence by sequence.
  Variable forward(const Variable& y, const Tensor& offsets, const Memory& memory, bool causal = false) const {
    return attend(query(y), offsets, memory, causal);
  }
  /// The same from Q = W_q y, for queries that attend to several memories.
  Variable attend(const Variable& q, const Tensor& offsets, const Memory& memory, bool causal = false) const {
    return output(autograd::attention(q, memory.keys, memory.values, offsets, memory.offsets, heads, causal));
  }
  void parameters(const std::string& name, Parameters& into) const;

  int64_t heads;
  Linear query, key, value, output;
};

/// A transformer encoder layer, normalised after each residual sum (Vaswani et al. 2017, section 3.1):
///   x ← LN(x + drop(SelfAttention(x)));  x ← LN(x + drop(FeedForward(x)))
struct EncoderLayer {
  EncoderLayer(int64_t width, int64_t heads, int64_t inner, Initializer& init)
      : attention(width, heads, init),
        attention_norm(width, init),
        feed_forward(width, inner, init),
        feed_forward_norm(width, init) {}
  Variable forward(const Variable& x, const Tensor& offsets, Pass& pass) const;
  void parameters(const std::string& name, Parameters& into) const;

  MultiHeadAttention attention;
  LayerNorm attention_norm;
  FeedForward feed_forward;
  LayerNorm feed_forward_norm;
};

/// Token embeddings scaled by √d plus positions, then S layers.
struct Encoder {
  Encoder(int64_t vocabulary, int64_t width, int64_t heads, int64_t inner, int64_t layers, Initializer& init);
  /// E_1 … E_S, each [rows, d].
  std::vector<Variable> forward(const TextBatch& text, Pass& pass) const;
  void parameters(const std::string& name, Parameters& into) const;

  Embedding embedding;
  std::vector<EncoderLayer> layers;
};

}  // namespace nn
