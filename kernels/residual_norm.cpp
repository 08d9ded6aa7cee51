#include "kernels/residual_norm.h"

#include "kernels/keep.h"
#include "kernels/rows.h"

namespace kernels {
namespace {

constexpr int64_t tall = 32;  // rows whose part in dweight and dbias is summed in T

/// g_c = (or +=) Σ_b part [b, c], rows of `part` 2 cols apart, in the order of b.
template <class T>
void add_blocks(Cpu cpu, const T* part, int64_t blocks, Grad<T> g, int64_t cols) {
  constexpr int64_t wide = 64;
  cpu.parallel((cols + wide - 1) / wide, 2 * blocks * wide, [=](int64_t begin, int64_t end) {
    for (int64_t first = begin * wide; first < std::min(end * wide, cols); first += wide) {
      const int64_t width = std::min(wide, cols - first);
      double total[wide] = {};
      for (int64_t b = 0; b < blocks; ++b) {
        const T* const from = part + b * 2 * cols + first;
        OneThread().each(width, [&total, from](int64_t c) { total[c] += double(from[c]); });
      }
      put_each(OneThread(), g.at(first), width, [&total](int64_t c) { return T(total[c]); });
    }
  });
}

}  // namespace

template <class T>
void residual_norm(Cpu cpu, const Drop& drop, const T* x, const T* branch, const T* weight, const T* bias, T* y, T* sum,
                   T* mean, T* rstd, int64_t rows, int64_t cols, T epsilon) {
  T* const kept = sum != nullptr ? sum : y;
  cpu.parallel(rows, 16 * cols, [=, &drop](int64_t begin, int64_t end) {
    Keep<T> keep(drop);
    for (int64_t r = begin; r < end; ++r) {
      keep.for_runs(r * cols, (r + 1) * cols, [=](int64_t first, int64_t n, const T* factors) {
        residual_run(OneThread(), x + first, branch + first, factors, kept + first, n);
      });
      const auto moments =
          layer_norm_row(OneThread(), kept + r * cols, weight, bias, y + r * cols, cols, Accumulator<T>(epsilon));
      if (mean != nullptr) mean[r] = moments.mean;
      if (rstd != nullptr) rstd[r] = moments.rstd;
    }
  });
}

int64_t residual_norm_backward_scratch(int64_t rows, int64_t cols) { return (rows + tall - 1) / tall * 2 * cols; }

template <class T>
void residual_norm_backward(Cpu cpu, const Drop& drop, const T* sum, const T* weight, const T* mean, const T* rstd,
                            const T* dy, Grad<T> dx, Grad<T> dbranch, Grad<T> dweight, Grad<T> dbias, T* scratch,
                            int64_t rows, int64_t cols) {
  const int64_t blocks = (rows + tall - 1) / tall;
  cpu.parallel(blocks, 32 * tall * cols, [=, &drop](int64_t begin, int64_t end) {
    Keep<T> keep(drop);
    if (dweight || dbias) std::fill(scratch + begin * 2 * cols, scratch + end * 2 * cols, T(0));
    for (int64_t r = begin * tall; r < std::min(end * tall, rows); ++r) {
      const RowMoments<T> moments{mean[r], rstd[r]};
      const T *const s = sum + r * cols, *const d = dy + r * cols;
      const auto means = layer_norm_means(OneThread(), s, weight, moments, d, cols);
      keep.for_runs(r * cols, (r + 1) * cols, [=](int64_t first, int64_t n, const T* factors) {
        residual_backward_run(OneThread(), sum + first, weight + (first - r * cols), moments, means, dy + first,
                              factors, row_of(dx, first, 1), row_of(dbranch, first, 1), n);
      });
      if (dweight || dbias) {
        T* const block = scratch + r / tall * 2 * cols;
        norm_parameters_row(OneThread(), s, moments, d, block, block + cols, cols);
      }
    }
  });
  if (dweight) add_blocks(cpu, scratch, blocks, dweight, cols);
  if (dbias) add_blocks(cpu, scratch + cols, blocks, dbias, cols);
}

#define ACE_INSTANTIATE(T)                                                                                          \
  template void residual_norm(Cpu, const Drop&, const T*, const T*, const T*, const T*, T*, T*, T*, T*, int64_t,    \
                              int64_t, T);                                                                          \
  template void residual_norm_backward(Cpu, const Drop&, const T*, const T*, const T*, const T*, const T*, Grad<T>, \
                                       Grad<T>, Grad<T>, Grad<T>, T*, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
