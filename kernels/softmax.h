#pragma once
#include "kernels/backend.h"
#include "kernels/put.h"
#include "kernels/team.h"

namespace kernels {

/// What turns a row of logits into probabilities: p_i = exp(x_i − max) / total, log p_i = x_i − log_total().
template <class A>
struct RowNormaliser {
  A max, total;
  /// log Σ_j e^{x_j}
  ACE_HD A log_total() const { return max + log(total); }
};

/// The lambdas hold x by value: behind a reference, compilers do not see that its elements stand side by side.
template <class Team, class T>
ACE_HD RowNormaliser<Accumulator<T>> row_normaliser(Team team, const T* x, int64_t cols) {
  using A = Accumulator<T>;
  const A m = team.max(cols, [=](int64_t i) { return A(x[i]); });
  return {m, team.sum(cols, [=](int64_t i) { return exp(A(x[i]) - m); })};
}

/// Softmax over the last dimension of x [rows, cols], cols ≥ 1.
///   y_i  = exp(x_i − m) / Σ_j exp(x_j − m),  m = max_j x_j      (m cancels; it only prevents overflow)
///   dx_i = y_i (dy_i − Σ_j dy_j y_j)
/// A row of −∞ alone has no softmax: it gives NaN.
template <class Team, class T>
ACE_HD void softmax_row(Team team, const T* x, T* y, int64_t cols) {
  using A = Accumulator<T>;
  const A m = team.max(cols, [&](int64_t i) { return A(x[i]); });
  team.each(cols, [&](int64_t i) { y[i] = T(exp(A(x[i]) - m)); });
  const A z = A(1) / team.sum(cols, [&](int64_t i) { return A(y[i]); });
  team.each(cols, [&](int64_t i) { y[i] = T(A(y[i]) * z); });
}

template <class Team, class T>
ACE_HD void softmax_backward_row(Team team, const T* y, const T* dy, Grad<T> dx, int64_t cols) {
  using A = Accumulator<T>;
  const A dot = team.sum(cols, [&](int64_t i) { return A(dy[i]) * A(y[i]); });
  put_each(team, dx, cols, [&](int64_t i) { return A(y[i]) * (A(dy[i]) - dot); });
}

/// Log-softmax over the last dimension:  y_i = x_i − m − log Σ_j exp(x_j − m);  dx_i = dy_i − exp(y_i) Σ_j dy_j
template <class Team, class T>
ACE_HD void log_softmax_row(Team team, const T* x, T* y, int64_t cols) {
  using A = Accumulator<T>;
  const A z = row_normaliser(team, x, cols).log_total();
  team.each(cols, [&](int64_t i) { y[i] = T(A(x[i]) - z); });
}

template <class Team, class T>
ACE_HD void log_softmax_backward_row(Team team, const T* y, const T* dy, Grad<T> dx, int64_t cols) {
  using A = Accumulator<T>;
  const A total = team.sum(cols, [&](int64_t i) { return A(dy[i]); });
  put_each(team, dx, cols, [&](int64_t i) { return A(dy[i]) - exp(A(y[i])) * total; });
}

template <class T>
void softmax(Cpu, const T* x, T* y, int64_t rows, int64_t cols);
template <class T>
void softmax_backward(Cpu, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols);
template <class T>
void log_softmax(Cpu, const T* x, T* y, int64_t rows, int64_t cols);
template <class T>
void log_softmax_backward(Cpu, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols);

/// On the GPU in f32, f64, f16 and bf16.
template <class T>
void softmax(Cuda, const T* x, T* y, int64_t rows, int64_t cols);
template <class T>
void softmax_backward(Cuda, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols);
template <class T>
void log_softmax(Cuda, const T* x, T* y, int64_t rows, int64_t cols);
template <class T>
void log_softmax_backward(Cuda, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols);

}  // namespace kernels
