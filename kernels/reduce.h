#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// y [outer, inner] = scale · Σ_c x [outer, c, inner], c in 0 … count−1 (0 for count = 0). Its gradient is `repeat`
/// (copy.h) with the same scale.
template <class T>
void sum(Cpu, const T* x, T* y, int64_t outer, int64_t count, int64_t inner, T scale);

/// y_c = (or +=) Σ_r x [r, c]: the columns of a matrix whose rows start `stride` apart; the gradient of a bias.
template <class T>
void sum_rows(Cpu, const T* x, int64_t stride, Grad<T> y, int64_t rows, int64_t cols);

/// Σ x_i² in f64: one addend of a gradient norm.
template <class T>
double sum_of_squares(Cpu, const T* x, int64_t n);

/// On the GPU in f32, f64, f16 and bf16, summed in f64. They take scratch 0.
template <class T>
void sum(Cuda, const T* x, T* y, int64_t outer, int64_t count, int64_t inner, Accumulator<T> scale);
template <class T>
void sum_rows(Cuda, const T* x, int64_t stride, Grad<Accumulator<T>> y, int64_t rows, int64_t cols);

}  // namespace kernels
