#pragma once
#include "kernels/loss.h"

namespace kernels {

/// The loss of R-Drop (Liang et al. 2021) of two rows of logits a, b with one target t, p = softmax(a), q = softmax(b);
/// in plain steps cross_entropy and bidirectional_kl (loss.h), here with the softmaxes shared. With l = log p − log q:
///   nll = −½ (log p_t + log q_t),  kl = KL(p‖q) + KL(q‖p) = Σ_i (p_i − q_i) l_i,  loss = nll + ω kl
///   da_i = (½ (p_i − [i = t]) + ω (p_i (l_i − ⟨p, l⟩) + p_i − q_i)) dloss
///   db_i = (½ (q_i − [i = t]) + ω (q_i (⟨q, l⟩ − l_i) + q_i − p_i)) dloss
template <class A>
struct RDropKept {
  A log_za, log_zb, pl, ql;  ///< log Σ e^a, log Σ e^b, ⟨p, l⟩, ⟨q, l⟩: all that the gradients need of the whole row
};
template <class A>
struct RDropRow {
  A nll, kl;
  RDropKept<A> kept;
};

template <class Team, class T>
ACE_HD RDropRow<Accumulator<T>> r_drop_row(Team team, const T* a, const T* b, int32_t target, int64_t cols) {
  using A = Accumulator<T>;
  const auto norm_a = row_normaliser(team, a, cols), norm_b = row_normaliser(team, b, cols);
  const A za = norm_a.log_total(), zb = norm_b.log_total();
  const auto p = [=](int64_t i) { return exp(A(a[i]) - za); };
  const auto q = [=](int64_t i) { return exp(A(b[i]) - zb); };
  const auto l = [=](int64_t i) { return (A(a[i]) - za) - (A(b[i]) - zb); };
  const A nll_a = log(norm_a.total) + (norm_a.max - A(a[target]));
  const A nll_b = log(norm_b.total) + (norm_b.max - A(b[target]));
  const A kl = team.sum(cols, [=](int64_t i) { return (p(i) - q(i)) * l(i); });  // no term is negative: none cancel
  const A pl = team.sum(cols, [=](int64_t i) { return p(i) * l(i); });
  const A ql = team.sum(cols, [=](int64_t i) { return q(i) * l(i); });
  return {A(0.5) * (nll_a + nll_b), kl, {za, zb, pl, ql}};
}

template <class Team, class T>
ACE_HD void r_drop_backward_row(Team team, const T* a, const T* b, int32_t target, RDropKept<Accumulator<T>> kept,
                                Accumulator<T> omega, Accumulator<T> dloss, Grad<T> da, Grad<T> db, int64_t cols) {
  using A = Accumulator<T>;
  const auto gradients = [=](int64_t i, auto put) {
    const A log_p = A(a[i]) - kept.log_za, log_q = A(b[i]) - kept.log_zb, l = log_p - log_q;
    const A p = exp(log_p), q = exp(log_q), hit = int32_t(i) == target ? A(1) : A(0);
    put(i, (A(0.5) * (p - hit) + omega * (p * (l - kept.pl) + p - q)) * dloss,
        (A(0.5) * (q - hit) + omega * (q * (kept.ql - l) + q - p)) * dloss);
  };
  T *const to_a = da.data, *const to_b = db.data;
  if (da.add) {
    team.each(cols, [=](int64_t i) {
      gradients(i, [=](int64_t j, A x, A y) { to_a[j] = T(A(to_a[j]) + x), to_b[j] = T(A(to_b[j]) + y); });
    });
  } else {
    team.each(cols, [=](int64_t i) { gradients(i, [=](int64_t j, A x, A y) { to_a[j] = T(x), to_b[j] = T(y); }); });
  }
}

/// logits [2 pairs, cols], cols ≥ 1: rows r and pairs + r are the two of target r. loss, nll, kl [pairs]; kept
/// [pairs, 4] is what the backward pass needs.
template <class T>
void r_drop(Cpu, const T* logits, const int32_t* targets, T omega, T* loss, T* nll, T* kl, T* kept, int64_t pairs,
            int64_t cols);
template <class T>
void r_drop_backward(Cpu, const T* logits, const int32_t* targets, T omega, const T* kept, const T* dloss,
                     Grad<T> dlogits, int64_t pairs, int64_t cols);

/// On the GPU in f32, f64, f16 and bf16; what is not a logit in Accumulator<T>.
template <class T>
void r_drop(Cuda, const T* logits, const int32_t* targets, Accumulator<T> omega, Accumulator<T>* loss,
            Accumulator<T>* nll, Accumulator<T>* kl, Accumulator<T>* kept, int64_t pairs, int64_t cols);
template <class T>
void r_drop_backward(Cuda, const T* logits, const int32_t* targets, Accumulator<T> omega, const Accumulator<T>* kept,
                     const Accumulator<T>* dloss, Grad<T> dlogits, int64_t pairs, int64_t cols);

}  // namespace kernels
