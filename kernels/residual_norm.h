#pragma once
#include "kernels/dropout.h"
#include "kernels/layer_norm.h"

namespace kernels {

/// Layer norm of a residual sum, over the last dimension of x and branch [rows, cols], cols ≥ 1: in plain steps
/// dropout, add, layer_norm (dropout.h, arithmetic.h, layer_norm.h), here one pass over memory each way.
///   s_i = x_i + k_i branch_i,  k_i = keep_i / (1 − rate);   y = LN(s), its weight w and bias b [cols]
///   dx_i = ds_i,  dbranch_i = k_i ds_i,  ds_i = r (g_i − mean_j g_j − ŝ_i mean_j g_j ŝ_j),  g_i = w_i dy_i
///   dw_i = Σ_rows dy_i ŝ_i,  db_i = Σ_rows dy_i
/// with the layer norm's ŝ and r. keep[i] is the factor k_i of the run's element i: an array, or what draws it.
template <class Team, class T, class Keep>
ACE_HD void residual_run(Team team, const T* x, const T* branch, Keep keep, T* sum, int64_t n) {
  using A = Accumulator<T>;
  team.each(n, [=](int64_t i) { sum[i] = T(A(x[i]) + A(keep[i]) * A(branch[i])); });
}

/// dx and dbranch of a run of n columns, keep its factors; either may be null.
template <class Team, class T, class Keep>
ACE_HD void residual_backward_run(Team team, const T* sum, const Accumulator<T>* weight,
                                  RowMoments<Accumulator<T>> moments, RowMeans<Accumulator<T>> means, const T* dy,
                                  Keep keep, Grad<T> dx, Grad<T> dbranch, int64_t n) {
  using A = Accumulator<T>;
  const auto ds = [=, mean = moments.mean, rstd = moments.rstd](int64_t i) {
    return rstd * (A(weight[i]) * A(dy[i]) - means.g - (A(sum[i]) - mean) * rstd * means.gx);
  };
  if (dx) put_each(team, dx, n, ds);
  if (dbranch) put_each(team, dbranch, n, [=](int64_t i) { return A(keep[i]) * ds(i); });
}

/// Adds a row's part in the gradients of the parameters.
template <class Team, class T>
ACE_HD void norm_parameters_row(Team team, const T* sum, RowMoments<Accumulator<T>> moments, const T* dy, T* dweight,
                                T* dbias, int64_t cols) {
  using A = Accumulator<T>;
  team.each(cols, [=, mean = moments.mean, rstd = moments.rstd](int64_t i) {
    dweight[i] = T(A(dweight[i]) + A(dy[i]) * ((A(sum[i]) - mean) * rstd));
    dbias[i] = T(A(dbias[i]) + A(dy[i]));
  });
}

/// sum [rows, cols], mean and rstd [rows] are what the backward pass needs; all null when nobody does.
template <class T>
void residual_norm(Cpu, const Drop& drop, const T* x, const T* branch, const T* weight, const T* bias, T* y, T* sum,
                   T* mean, T* rstd, int64_t rows, int64_t cols, T epsilon);

/// How many T of scratch the backward pass takes: sums of 32 rows each for dweight and dbias, which are then added in
/// order.
int64_t residual_norm_backward_scratch(int64_t rows, int64_t cols);
/// Any of the gradients may be null.
template <class T>
void residual_norm_backward(Cpu, const Drop& drop, const T* sum, const T* weight, const T* mean, const T* rstd,
                            const T* dy, Grad<T> dx, Grad<T> dbranch, Grad<T> dweight, Grad<T> dbias, T* scratch,
                            int64_t rows, int64_t cols);

/// On the GPU in f32, f64, f16 and bf16, as layer_norm there. The backward pass's scratch is counted in Accumulator<T>;
/// it takes the context's scratch 0 as well.
template <class T>
void residual_norm(Cuda, const Drop& drop, const T* x, const T* branch, const Accumulator<T>* weight,
                   const Accumulator<T>* bias, T* y, T* sum, Accumulator<T>* mean, Accumulator<T>* rstd, int64_t rows,
                   int64_t cols, Accumulator<T> epsilon);
template <class T>
void residual_norm_backward(Cuda, const Drop& drop, const T* sum, const Accumulator<T>* weight,
                            const Accumulator<T>* mean, const Accumulator<T>* rstd, const T* dy, Grad<T> dx,
                            Grad<T> dbranch, Grad<Accumulator<T>> dweight, Grad<Accumulator<T>> dbias,
                            Accumulator<T>* scratch, int64_t rows, int64_t cols);

}  // namespace kernels
