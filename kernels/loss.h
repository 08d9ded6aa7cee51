#pragma once
#include "kernels/softmax.h"

/// One loss per row of [rows, cols], cols ≥ 1; the gradients take dL/dloss [rows].
namespace kernels {

/// Negative log-likelihood of class t, 0 ≤ t < cols:
///   loss = log Σ_j exp(x_j) − x_t;  dx_i = (p_i − [i = t]) dloss,  p = softmax(x)
template <class Team, class T>
ACE_HD Accumulator<T> cross_entropy_row(Team team, const T* x, int32_t target, int64_t cols) {
  const auto norm = row_normaliser(team, x, cols);
  return log(norm.total) + (norm.max - Accumulator<T>(x[target]));
}

template <class Team, class T>
ACE_HD void cross_entropy_backward_row(Team team, const T* x, int32_t target, Accumulator<T> dloss, Grad<T> dx,
                                       int64_t cols) {
  using A = Accumulator<T>;
  const auto norm = row_normaliser(team, x, cols);
  const A m = norm.max, z = A(1) / norm.total;
  put_each(team, dx, cols, [=](int64_t i) {
    const A p = exp(A(x[i]) - m) * z;
    return (int32_t(i) == target ? p - A(1) : p) * dloss;
  });
}

/// KL(p‖q) + KL(q‖p), p = softmax(a), q = softmax(b), all logits finite, with l = log p − log q:
///   loss = Σ_i (p_i − q_i) l_i
///   da_k = (p_k (l_k − ⟨p, l⟩) + p_k − q_k) dloss;  db_k = (q_k (⟨q, l⟩ − l_k) + q_k − p_k) dloss
template <class Team, class T>
ACE_HD Accumulator<T> bidirectional_kl_row(Team team, const T* a, const T* b, int64_t cols) {
  using A = Accumulator<T>;
  const A log_za = row_normaliser(team, a, cols).log_total(), log_zb = row_normaliser(team, b, cols).log_total();
  return team.sum(cols, [=](int64_t i) {
    const A log_p = A(a[i]) - log_za, log_q = A(b[i]) - log_zb;
    return (exp(log_p) - exp(log_q)) * (log_p - log_q);
  });
}

template <class Team, class T>
ACE_HD void bidirectional_kl_backward_row(Team team, const T* a, const T* b, Accumulator<T> dloss, Grad<T> da,
                                          Grad<T> db, int64_t cols) {
  using A = Accumulator<T>;
  const A log_za = row_normaliser(team, a, cols).log_total(), log_zb = row_normaliser(team, b, cols).log_total();
  const auto p = [=](int64_t i) { return exp(A(a[i]) - log_za); };
  const auto q = [=](int64_t i) { return exp(A(b[i]) - log_zb); };
  const auto l = [=](int64_t i) { return (A(a[i]) - log_za) - (A(b[i]) - log_zb); };
  if (da) {
    const A pl = team.sum(cols, [=](int64_t i) { return p(i) * l(i); });
    put_each(team, da, cols, [=](int64_t i) { return (p(i) * (l(i) - pl) + p(i) - q(i)) * dloss; });
  }
  if (db) {
    const A ql = team.sum(cols, [=](int64_t i) { return q(i) * l(i); });
    put_each(team, db, cols, [=](int64_t i) { return (q(i) * (ql - l(i)) + q(i) - p(i)) * dloss; });
  }
}

/// loss = Σ_i (a_i − b_i)²;  da_i = 2 (a_i − b_i) dloss = −db_i
template <class Team, class T>
ACE_HD Accumulator<T> squared_error_row(Team team, const T* a, const T* b, int64_t cols) {
  using A = Accumulator<T>;
  return team.sum(cols, [=](int64_t i) { return (A(a[i]) - A(b[i])) * (A(a[i]) - A(b[i])); });
}

template <class Team, class T>
ACE_HD void squared_error_backward_row(Team team, const T* a, const T* b, Accumulator<T> dloss, Grad<T> da, Grad<T> db,
                                       int64_t cols) {
  using A = Accumulator<T>;
  const A two = A(2) * dloss;
  if (da) put_each(team, da, cols, [=](int64_t i) { return two * (A(a[i]) - A(b[i])); });
  if (db) put_each(team, db, cols, [=](int64_t i) { return two * (A(b[i]) - A(a[i])); });
}

template <class T>
void cross_entropy(Cpu, const T* logits, const int32_t* targets, T* loss, int64_t rows, int64_t cols);
template <class T>
void cross_entropy_backward(Cpu, const T* logits, const int32_t* targets, const T* dloss, Grad<T> dlogits, int64_t rows,
                            int64_t cols);
template <class T>
void bidirectional_kl(Cpu, const T* a, const T* b, T* loss, int64_t rows, int64_t cols);
template <class T>
void bidirectional_kl_backward(Cpu, const T* a, const T* b, const T* dloss, Grad<T> da, Grad<T> db, int64_t rows,
                               int64_t cols);
template <class T>
void squared_error(Cpu, const T* a, const T* b, T* loss, int64_t rows, int64_t cols);
template <class T>
void squared_error_backward(Cpu, const T* a, const T* b, const T* dloss, Grad<T> da, Grad<T> db, int64_t rows,
                            int64_t cols);

/// On the GPU in f32, f64, f16 and bf16; losses and their gradients in Accumulator<T>. A row of 16-byte multiples and
/// at most 4,096 columns is read once.
template <class T>
void cross_entropy(Cuda, const T* logits, const int32_t* targets, Accumulator<T>* loss, int64_t rows, int64_t cols);
template <class T>
void cross_entropy_backward(Cuda, const T* logits, const int32_t* targets, const Accumulator<T>* dloss, Grad<T> dlogits,
                            int64_t rows, int64_t cols);
template <class T>
void bidirectional_kl(Cuda, const T* a, const T* b, Accumulator<T>* loss, int64_t rows, int64_t cols);
template <class T>
void bidirectional_kl_backward(Cuda, const T* a, const T* b, const Accumulator<T>* dloss, Grad<T> da, Grad<T> db,
                               int64_t rows, int64_t cols);
template <class T>
void squared_error(Cuda, const T* a, const T* b, Accumulator<T>* loss, int64_t rows, int64_t cols);
template <class T>
void squared_error_backward(Cuda, const T* a, const T* b, const Accumulator<T>* dloss, Grad<T> da, Grad<T> db,
                            int64_t rows, int64_t cols);

}  // namespace kernels
