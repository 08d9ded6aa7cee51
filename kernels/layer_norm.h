#pragma once
#include "kernels/put.h"

namespace kernels {

/// Mean and 1 / standard deviation of a row.
template <class A>
struct RowMoments {
  A mean, rstd;
};

/// Layer norm over the last dimension of x [rows, cols], cols ≥ 1; weight w and bias b [cols].
///   x̂_i = (x_i − μ) r,  μ = mean_j x_j,  r = 1 / √(mean_j (x_j − μ)² + ε)
///   y_i = w_i x̂_i + b_i
///   dx_i = r (g_i − mean_j g_j − x̂_i mean_j g_j x̂_j),  g_i = w_i dy_i
///   dw_i = Σ_rows dy_i x̂_i,  db_i = Σ_rows dy_i
/// The variance takes a pass of its own: mean(x²) − μ² would cancel for rows far from 0.
template <class Team, class T>
ACE_HD RowMoments<Accumulator<T>> layer_norm_row(Team team, const T* x, const Accumulator<T>* weight,
                                                 const Accumulator<T>* bias, T* y, int64_t cols,
                                                 Accumulator<T> epsilon) {
  using A = Accumulator<T>;
  const A mean = team.sum(cols, [=](int64_t i) { return A(x[i]); }) / A(cols);
  const A squares = team.sum(cols, [=](int64_t i) { return (A(x[i]) - mean) * (A(x[i]) - mean); });
  const A rstd = A(1) / sqrt(squares / A(cols) + epsilon);
  team.each(cols, [=](int64_t i) { y[i] = T((A(x[i]) - mean) * rstd * A(weight[i]) + A(bias[i])); });
  return {mean, rstd};
}

/// What dx needs of the whole row: mean_j g_j and mean_j g_j x̂_j.
template <class A>
struct RowMeans {
  A g, gx;
};

template <class Team, class T>
ACE_HD RowMeans<Accumulator<T>> layer_norm_means(Team team, const T* x, const Accumulator<T>* weight,
                                                 RowMoments<Accumulator<T>> moments, const T* dy, int64_t cols) {
  using A = Accumulator<T>;
  const A mean = moments.mean, rstd = moments.rstd;
  const A g = team.sum(cols, [=](int64_t i) { return A(weight[i]) * A(dy[i]); }) / A(cols);
  const A gx = team.sum(cols, [=](int64_t i) { return A(weight[i]) * A(dy[i]) * ((A(x[i]) - mean) * rstd); }) / A(cols);
  return {g, gx};
}

/// dx of a run of n columns.
template <class Team, class T>
ACE_HD void layer_norm_backward_run(Team team, const T* x, const Accumulator<T>* weight,
                                    RowMoments<Accumulator<T>> moments, RowMeans<Accumulator<T>> means, const T* dy,
                                    Grad<T> dx, int64_t n) {
  using A = Accumulator<T>;
  put_each(team, dx, n, [=, mean = moments.mean, rstd = moments.rstd](int64_t i) {
    return rstd * (A(weight[i]) * A(dy[i]) - means.g - (A(x[i]) - mean) * rstd * means.gx);
  });
}

/// mean and rstd [rows] are what the backward pass needs; null when nobody does.
template <class T>
void layer_norm(Cpu, const T* x, const T* weight, const T* bias, T* y, T* mean, T* rstd, int64_t rows, int64_t cols,
                T epsilon);
/// Any of the gradients may be null.
template <class T>
void layer_norm_backward(Cpu, const T* x, const T* weight, const T* mean, const T* rstd, const T* dy, Grad<T> dx,
                         Grad<T> dweight, Grad<T> dbias, int64_t rows, int64_t cols);

/// On the GPU in f32, f64, f16 and bf16; parameters, their gradients, mean and rstd in Accumulator<T>. Rows of 16-byte
/// multiples and at most 4,096 columns are read once. The backward pass takes scratch 0 and 1.
template <class T>
void layer_norm(Cuda, const T* x, const Accumulator<T>* weight, const Accumulator<T>* bias, T* y, Accumulator<T>* mean,
                Accumulator<T>* rstd, int64_t rows, int64_t cols, Accumulator<T> epsilon);
template <class T>
void layer_norm_backward(Cuda, const T* x, const Accumulator<T>* weight, const Accumulator<T>* mean,
                         const Accumulator<T>* rstd, const T* dy, Grad<T> dx, Grad<Accumulator<T>> dweight,
                         Grad<Accumulator<T>> dbias, int64_t rows, int64_t cols);

}  // namespace kernels
