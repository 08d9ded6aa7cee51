#pragma once
#include "kernels/backend.h"
#include "kernels/math.h"

namespace kernels {

/// The settings of one step of Adam, read through a pointer: they change while a captured graph stays.
struct AdamStep {
  double rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;      ///< decoupled (AdamW): shrinks the parameter by rate · weight_decay
  double l2 = 0;                ///< added to the gradient as l2 · p
  double bias1 = 1, bias2 = 1;  ///< 1 − β₁ᵗ and 1 − β₂ᵗ at step t = 1, 2, …
  double gradient_scale = 1;    ///< the gradient's factor: clipping, loss scaling
  bool skip = false;            ///< nothing is changed: parameters, m and v stay bit for bit
};

/// The factor of a loss whose gradients are f16, where small ones would vanish: as large as they bear. A step whose
/// gradients were not finite is skipped and the factor halved; after `patience` good steps in a row it is doubled. With
/// least = most = scale it stays, and skipped steps are still counted.
struct LossScale {
  double scale = 65536, least = 1, most = 16777216;
  int64_t patience = 2000, good_steps = 0;  ///< good_steps: in a row, since the factor changed
  int64_t taken = 0, skipped = 0;           ///< steps
};

ACE_HD void update(LossScale& loss, bool finite) {
  if (!finite) {
    ++loss.skipped, loss.good_steps = 0;
    loss.scale = loss.scale / 2 > loss.least ? loss.scale / 2 : loss.least;
    return;
  }
  ++loss.taken;
  if (++loss.good_steps < loss.patience) return;
  loss.good_steps = 0;
  loss.scale = loss.scale * 2 < loss.most ? loss.scale * 2 : loss.most;
}

/// What a step needs of the gradients' sum of squares: with norm = √squares / scale, it is skipped unless the norm is
/// finite, and the gradients' factor is min(1, clip / norm) / scale, or 1 / scale where clip is 0. The biases are those
/// of the steps taken. Then the scale is updated.
ACE_HD void prepare(double clip, double squares, LossScale& loss, AdamStep& step) {
  const double factor = 1 / loss.scale, norm = sqrt(squares) * factor;
  step.skip = !(norm < infinity<double>);
  update(loss, !step.skip);
  if (step.skip) return;
  step.gradient_scale = clip > 0 && norm > clip ? factor * (clip / norm) : factor;
  step.bias1 = 1 - ::pow(step.beta1, double(loss.taken));
  step.bias2 = 1 - ::pow(step.beta2, double(loss.taken));
}

/// AdamStep in the accumulator's type, with what is the same for every element worked out.
template <class A>
struct AdamFactors {
  A gradient_scale, l2, keep, beta1, beta2, step, root_bias2, epsilon;
  ACE_HD explicit AdamFactors(const AdamStep& s)
      : gradient_scale(A(s.gradient_scale)),
        l2(A(s.l2)),
        keep(A(1 - s.rate * s.weight_decay)),
        beta1(A(s.beta1)),
        beta2(A(s.beta2)),
        step(A(s.rate / s.bias1)),
        root_bias2(A(1 / sqrt(s.bias2))),
        epsilon(A(s.epsilon)) {}
};

/// One element:  g ← scale · g + l2 · p;  m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²
///   p ← (1 − rate · decay) p − rate / bias1 · m / (√(v / bias2) + ε)
template <class A>
ACE_HD void adam_element(const AdamFactors<A>& f, A& p, A gradient, A& m, A& v) {
  const A g = f.gradient_scale * gradient + f.l2 * p;
  m = f.beta1 * m + (A(1) - f.beta1) * g;
  v = f.beta2 * v + (A(1) - f.beta2) * g * g;
  p = f.keep * p - f.step * m / (sqrt(v) * f.root_bias2 + f.epsilon);
}

/// One of the tensors that a step changes: n numbers each.
template <class T>
struct AdamTensor {
  T* parameter;
  const T* gradient;
  T *m, *v;
  int64_t n;
  void* rounded = nullptr;  ///< on the GPU, where it is not null: the parameter in 16 bits, kept as that is
  bool in_bf16 = false;     ///< what it is rounded to: bf16, else f16
};

/// *gradient = share · scale, with which the backward pass of a loss begins.
template <class T>
void loss_gradient(Cpu, double share, const LossScale* loss, T* gradient) {
  *gradient = T(share * loss->scale);
}

/// The step of all tensors as one loop over their elements, so that threads meet once, not once a tensor.
template <class T>
void adam(Cpu, const AdamStep* step, const AdamTensor<T>* tensors, int64_t count);

/// On the GPU in f32 and f64, one launch for all tensors. `tensors` and `step` are the device's; `total` is the sum of
/// the tensors' n.
template <class T>
void adam(Cuda, const AdamStep* step, const AdamTensor<T>* tensors, int64_t count, int64_t total);
/// *squares = Σ g² over all of them, in f64.
template <class T>
void gradient_squares(Cuda, const AdamTensor<T>* tensors, int64_t count, int64_t total, double* squares);
/// `prepare` where its numbers lie, without asking the host.
void prepare_step(Cuda, double clip, const double* squares, LossScale* loss, AdamStep* step);
template <class T>
void loss_gradient(Cuda, double share, const LossScale* loss, T* gradient);

}  // namespace kernels
