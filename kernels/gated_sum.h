#pragma once
#include "kernels/activation.h"
#include "kernels/put.h"

namespace kernels {

/// A gated sum of `count` parts c_k under gates' preactivations a_k, and of one more term c that gates itself by f
/// (the paper's Eq. 3 to 5); in plain steps activation, scale, mul and add (activation.h, arithmetic.h), here one pass
/// over memory each way. Element by element, n of them:
///   y = share · f(c) + Σ_k σ(a_k) c_k
///   dc = share f′(c) dy,   da_k = c_k σ(a_k) (1 − σ(a_k)) dy,   dc_k = σ(a_k) dy
template <class F, class Team, class T>
ACE_HD void self_gated_run(Team team, Accumulator<T> share, const T* c, T* y, int64_t n) {
  using A = Accumulator<T>;
  team.each(n, [=](int64_t i) { y[i] = T(share * F::value(A(c[i]))); });
}

template <class Team, class T>
ACE_HD void add_gated_run(Team team, const T* a, const T* c, T* y, int64_t n) {
  using A = Accumulator<T>;
  team.each(n, [=](int64_t i) { y[i] = T(A(y[i]) + kernels::sigmoid(A(a[i])) * A(c[i])); });
}

template <class F, class Team, class T>
ACE_HD void self_gated_backward_run(Team team, Accumulator<T> share, const T* c, const T* dy, Grad<T> dc, int64_t n) {
  using A = Accumulator<T>;
  put_each(team, dc, n, [=](int64_t i) {
    const A x = A(c[i]);
    return share * F::derivative(x, F::value(x)) * A(dy[i]);
  });
}

/// sigma: σ(a_k) of the run, of which both gradients are made.
template <class Team, class T>
ACE_HD void gated_backward_run(Team team, const T* sigma, const T* c, const T* dy, Grad<T> da, Grad<T> dc, int64_t n) {
  using A = Accumulator<T>;
  if (da) put_each(team, da, n, [=](int64_t i) { return A(c[i]) * A(sigma[i]) * (A(1) - A(sigma[i])) * A(dy[i]); });
  if (dc) put_each(team, dc, n, [=](int64_t i) { return A(sigma[i]) * A(dy[i]); });
}

/// gate: silu or sigmoid; a and parts: `count` tensors of n elements each.
template <class T>
void gated_sum(Cpu, Activation gate, T share, const T* c, const T* const* a, const T* const* parts, int64_t count, T* y,
               int64_t n);
/// da and dparts: `count` each; any of the gradients may be null.
template <class T>
void gated_sum_backward(Cpu, Activation gate, T share, const T* c, const T* const* a, const T* const* parts,
                        int64_t count, const T* dy, Grad<T> dc, const Grad<T>* da, const Grad<T>* dparts, int64_t n);

/// On the GPU in f32, f64, f16 and bf16; the lists of tensors are the host's.
template <class T>
void gated_sum(Cuda, Activation gate, Accumulator<T> share, const T* c, const T* const* a, const T* const* parts,
               int64_t count, T* y, int64_t n);
template <class T>
void gated_sum_backward(Cuda, Activation gate, Accumulator<T> share, const T* c, const T* const* a,
                        const T* const* parts, int64_t count, const T* dy, Grad<T> dc, const Grad<T>* da,
                        const Grad<T>* dparts, int64_t n);

}  // namespace kernels
