#pragma once
#include <optional>
#include <span>
#include <vector>

#include "autograd/variable.h"
#include "kernels/dropout.h"
#include "kernels/gemm.h"

/// Every op, one function each; formula, forward and backward stand together in the file named beside it. Shapes are
/// written [outermost, …, innermost]; `rows` and `cols` see a tensor as a matrix whose columns are its last dimension.
/// A wrong shape or dtype fails with one line that starts with the op's name. On a GPU what flows from op to op may
/// have 16 bits (tensor/dispatch.h, activations); parameters, their gradients and losses are f32 then. Tensors of
/// indices (ids, targets, offsets) may be on the CPU or where the numbers are: those on the CPU are checked, and
/// brought there.
namespace autograd {

// arithmetic.cpp: shapes are broadcast as in NumPy (aligned at the last dimension; 1 stretches), and the gradients
// summed back
Variable add(const Variable& a, const Variable& b);
Variable sub(const Variable& a, const Variable& b);
Variable mul(const Variable& a, const Variable& b);
Variable div(const Variable& a, const Variable& b);
/// factor · x
Variable scale(const Variable& x, double factor);

// linear.cpp
/// op(a) op(b) over the last two dimensions; [..., m, k] × [..., k, n] with equal leading dimensions, or b [k, n]
/// shared.
Variable matmul(const Variable& a, const Variable& b, bool transpose_a = false, bool transpose_b = false);
/// How a linear op computes: f after the sum, if any, one whose derivative follows from its value (relu, elu, sigmoid,
/// tanh); what factors are rounded to in f32, forward and backward (Micikevicius et al. 2018: sums, weights and all
/// else stay f32); and whether the result is f32 where inputs have 16 bits (for logits).
struct LinearForm {
  std::optional<kernels::Activation> activation;
  kernels::Precision precision = kernels::Precision::full;
  bool wide = false;
};
/// f([x_1 … x_n] Wᵀ + b): inputs of equal width stand side by side, and are not copied together for it.
/// x_i [..., in / n], weight [out, in], bias [out] or undefined. With inputs of 16 bits the weight is rounded to
/// theirs, once (Variable::rounded); sums and the gradients of weight and bias are f32.
Variable linear(std::span<const Variable> x, const Variable& weight, const Variable& bias, LinearForm form = {});
inline Variable linear(const Variable& x, const Variable& weight, const Variable& bias, LinearForm form = {}) {
  return linear(std::span(&x, 1), weight, bias, form);
}
/// Declares a weight constant: it takes no gradient any more, and linear ops of `inputs` inputs read it in a packed
/// form of this precision (kernels/gemm.h); 0 inputs: it is no factor of theirs. f32 only; f64 weights are left as they
/// are.
void freeze_weight(const Variable& weight, int64_t inputs, kernels::Precision precision);
/// What the activations are that start from a table: on a GPU, for an f32 table, 16 bits where the precision that it
/// was frozen for, else `precision`, is f16 or bf16; else the table's type.
tensor::DType activation_type(const Variable& table, kernels::Precision precision);

// activation.cpp
Variable relu(const Variable& x);
Variable elu(const Variable& x);
Variable silu(const Variable& x);
Variable sigmoid(const Variable& x);
Variable tanh(const Variable& x);
Variable gelu(const Variable& x);

// softmax.cpp: over the last dimension
Variable softmax(const Variable& x);
Variable log_softmax(const Variable& x);

// layer_norm.cpp
/// (x − mean) / √(variance + ε) ⊙ weight + bias over the last dimension; weight, bias [cols].
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double epsilon = 1e-5);

// embedding.cpp
/// factor · rows of table [V, d]; ids: i32 of any shape, result [..., d]. An id outside 0 … V−1 fails. `type`: the
/// result's, where it is not the table's: 16 bits from an f32 table, on a GPU.
Variable embedding(const Variable& table, const Tensor& ids, double factor = 1, std::optional<tensor::DType> type = {});

// dropout.cpp
/// Which mask a dropout uses: a function of (seed, step, site), the same on every device and in the backward pass; or,
/// for tests, a mask of one's own (u8, 1 keeps). Rate 0 drops nothing.
struct DropoutSite {
  double rate = 0;
  kernels::DropoutKey key{};
  uint64_t site = 0;
  Tensor mask;
  Tensor key_there;  ///< the key in the memory of x's device, i64 [2]; else it is brought there when it is needed
};
/// The key as i64 [2] on the CPU.
Tensor key_tensor(const kernels::DropoutKey& key);
/// x ⊙ keep / (1 − rate); rate 0 is x itself.
Variable dropout(const Variable& x, const DropoutSite& site);
/// dropout(relu(x), site)
Variable relu_dropout(const Variable& x, const DropoutSite& site);

// residual_norm.cpp
/// layer_norm(add(x, dropout(branch, site)), weight, bias, epsilon);  x, branch [..., cols]
Variable residual_norm(const Variable& x, const Variable& branch, const Variable& weight, const Variable& bias,
                       double epsilon, const DropoutSite& site);

// gated_sum.cpp
/// share · gate(c) + Σ_k sigmoid(a_k) ⊙ c_k, gate silu or sigmoid; all of one shape, as many a as parts.
Variable gated_sum(kernels::Activation gate, double share, const Variable& c, std::span<const Variable> a,
                   std::span<const Variable> parts);

// shape.cpp
/// Along `axis` (negative counts from the end); all other dimensions equal.
Variable concat(std::span<const Variable> parts, int axis);
inline Variable concat(std::initializer_list<Variable> parts, int axis) {
  return concat(std::span(parts.begin(), parts.size()), axis);
}
/// Entries begin … end−1 of `axis`.
Variable slice(const Variable& x, int axis, int64_t begin, int64_t end);
/// The last two dimensions exchanged.
Variable transpose(const Variable& x);
/// The same numbers under another shape; no copy.
Variable reshape(const Variable& x, const tensor::Shape& shape);
/// The paper's sg[·]: the value, as a constant.
Variable detach(const Variable& x);

// reduce.cpp
/// Over everything (result: one element, shape []), or over one axis (which goes).
Variable sum(const Variable& x);
Variable mean(const Variable& x);
Variable sum(const Variable& x, int axis);
Variable mean(const Variable& x, int axis);

// attention.cpp
/// Multi-head attention over packed sequences: q [Tq, d], k and v [Tk, d]; offsets i32 [B + 1] say where each sequence
/// begins (formulas and masks: kernels/attention.h).
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Tensor& q_offsets,
                   const Tensor& k_offsets, int64_t heads, bool causal);
/// Decoding: each row of q [rows, d] over one key and value a position. `at` i32 [positions, rows] says which row of
/// keys[p] and values[p], [·, d] each, row r sees at position p. Not for training: what is taped fails.
Variable attention_step(const Variable& q, std::span<const Variable> keys, std::span<const Variable> values,
                        const Tensor& at, int64_t heads);

// loss.cpp: one loss per row
/// −log softmax(logits)[target];  logits [rows, cols], targets i32 [rows] in 0 … cols−1.
Variable cross_entropy(const Variable& logits, const Tensor& targets);
/// KL(p‖q) + KL(q‖p), p = softmax(a), q = softmax(b);  a, b [rows, cols].
Variable bidirectional_kl(const Variable& a, const Variable& b);
/// R-Drop's loss of the two rows of each target, r and B + r of logits [2B, cols]; targets i32 [B] in 0 … cols−1:
///   nll = ½ (cross_entropy of row r + that of row B + r),  kl = bidirectional_kl of the two,  loss = nll + ω kl
/// each [B]; gradients go through the loss, the other two are values to look at.
struct RDrop {
  Variable loss;
  Tensor nll, kl;
};
RDrop r_drop(const Variable& logits, const Tensor& targets, double omega);
/// Σ_c (a − b)²;  a, b [rows, cols].
Variable squared_error(const Variable& a, const Variable& b);

}  // namespace autograd
