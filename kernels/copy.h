#pragma once
#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// y_i = x_i, or y_i += x_i where the gradient says add.
template <class T>
void copy(Cpu, const T* x, Grad<T> y, int64_t n);

/// A block of rows × cols from one matrix into another with strides of their own (a slice, a concatenation):
///   y[r·y_stride + c] = (or +=) x[r·x_stride + c]
template <class T>
void copy_block(Cpu, const T* x, int64_t x_stride, Grad<T> y, int64_t y_stride, int64_t rows, int64_t cols);

/// y [batch, n, m] = x [batch, m, n] with the last two dimensions exchanged.
template <class T>
void transpose(Cpu, const T* x, Grad<T> y, int64_t batch, int64_t m, int64_t n);

/// y [outer, count, inner] = x [outer, 1, inner] for each of count (the gradient of a sum, a repeated row).
template <class T>
void repeat(Cpu, const T* x, Grad<T> y, int64_t outer, int64_t count, int64_t inner, T scale);

/// y_i = x_i in other numbers, on the GPU: from f32 to f16 or bf16, rounded to nearest even, and back.
template <class From, class To>
void convert(Cuda, const From* x, To* y, int64_t n);

/// On the GPU in f32, f64, f16 and bf16.
template <class T>
void copy(Cuda, const T* x, Grad<T> y, int64_t n);
template <class T>
void copy_block(Cuda, const T* x, int64_t x_stride, Grad<T> y, int64_t y_stride, int64_t rows, int64_t cols);
template <class T>
void transpose(Cuda, const T* x, Grad<T> y, int64_t batch, int64_t m, int64_t n);
template <class T>
void repeat(Cuda, const T* x, Grad<T> y, int64_t outer, int64_t count, int64_t inner, Accumulator<T> scale);

}  // namespace kernels
