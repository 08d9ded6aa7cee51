#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// Multi-head scaled dot-product attention over packed sequences (Vaswani et al. 2017, section 3.2).
/// Queries [Tq, heads·width] and keys, values [Tk, heads·width] hold the sequences one after another; sequence b owns
/// rows q_offsets[b] … q_offsets[b+1]−1 of the queries and k_offsets[b] … of the keys; head h owns columns h·width …
/// (h+1)·width−1. Packing is the key-padding mask: there are no padded keys. With `causal`, query i of n sees keys 0 …
/// i + (m − n) of its m. A query that sees no key gives 0, never NaN.
///   S = Q Kᵀ / √width   P = softmax(S)   O = P V
///   dV = Pᵀ dO   dP = dO Vᵀ   dS = P ⊙ (dP − rowsum(dO ⊙ O))   dQ = dS K / √width   dK = dSᵀ Q / √width
/// Saved for the backward pass: O and lse_i = log Σ_j exp S_ij, from which P is computed anew.
struct AttentionShape {
  int64_t sequences, heads, width;
  const int32_t *q_offsets, *k_offsets;  ///< [sequences + 1] each, ascending from 0
  bool causal;
  int64_t q_stride, k_stride,
      v_stride;            ///< elements from row to row of q (and dq), k (dk), v (dv); of o and do: heads·width
  int64_t q_rows, k_rows;  ///< Tq and Tk, the last of the offsets, which a GPU's host does not see
};

/// lse: [Tq, heads], or null when no backward pass follows.
template <class T>
void attention(Cpu, const AttentionShape&, const T* q, const T* k, const T* v, T* o, T* lse);

/// Any of dq, dk, dv may be null.
template <class T>
void attention_backward(Cpu, const AttentionShape&, const T* q, const T* k, const T* v, const T* o, const T* lse,
                        const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv);

/// Decoding: one query a row, over `positions` keys whose rows lie where they were written. Row r of q [rows,
/// heads·width] sees at position p row at[p·rows + r] of k[p] and v[p] [·, heads·width]: hypotheses with a common
/// beginning share its keys, and choosing among them copies nothing. positions ≥ 1; no lse, no backward pass.
template <class T>
void attention_step(Cpu, int64_t rows, int64_t heads, int64_t width, int64_t positions, const int32_t* at, const T* q,
                    const T* const* k, const T* const* v, T* o);

/// On the GPU in f32, f64, f16 and bf16; the offsets are the device's. Heads of width 32, 64 and 128 are multiplied
/// tile by tile: in f32, and in the 16-bit types by tensor cores, with sums in f32 (bf16 has them from compute
/// capability 8.0 on). Everything else takes the plain version, which is their oracle. What a sequence gives does not
/// depend on the others.
template <class T>
void attention(Cuda, const AttentionShape&, const T* q, const T* k, const T* v, T* o, Accumulator<T>* lse);
template <class T>
void attention_backward(Cuda, const AttentionShape&, const T* q, const T* k, const T* v, const T* o,
                        const Accumulator<T>* lse, const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv);
/// k, v and at are the device's too, as are the pointers in k and v, each at a multiple of 16 bytes.
template <class T>
void attention_step(Cuda, int64_t rows, int64_t heads, int64_t width, int64_t positions, const int32_t* at, const T* q,
                    const T* const* k, const T* const* v, T* o);
template <class T>
void attention_plain(Cuda, const AttentionShape&, const T* q, const T* k, const T* v, T* o, Accumulator<T>* lse);
template <class T>
void attention_backward_plain(Cuda, const AttentionShape&, const T* q, const T* k, const T* v,
                              const Accumulator<T>* lse, const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv);

/// One query row at a time, in the order of the formula: the oracle of the tiled version.
template <class T>
void attention_plain(const AttentionShape&, const T* q, const T* k, const T* v, T* o, T* lse);

}  // namespace kernels
