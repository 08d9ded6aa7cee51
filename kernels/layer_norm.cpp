#include "kernels/layer_norm.h"

#include "kernels/rows.h"
#include "kernels/sums.h"

namespace kernels {

template <class T>
void layer_norm(Cpu cpu, const T* x, const T* weight, const T* bias, T* y, T* mean, T* rstd, int64_t rows, int64_t cols,
                T epsilon) {
  for_rows(cpu, rows, 8 * cols, [=](auto team, int64_t r) {
    const auto moments = layer_norm_row(team, x + r * cols, weight, bias, y + r * cols, cols, epsilon);
    if (mean != nullptr) mean[r] = moments.mean;
    if (rstd != nullptr) rstd[r] = moments.rstd;
  });
}

template <class T>
void layer_norm_backward(Cpu cpu, const T* x, const T* weight, const T* mean, const T* rstd, const T* dy, Grad<T> dx,
                         Grad<T> dweight, Grad<T> dbias, int64_t rows, int64_t cols) {
  if (dx) {
    for_rows(cpu, rows, 16 * cols, [=](auto team, int64_t r) {
      const T *const row = x + r * cols, *const d = dy + r * cols;
      const RowMoments<T> moments{mean[r], rstd[r]};
      const auto means = layer_norm_means(team, row, weight, moments, d, cols);
      layer_norm_backward_run(team, row, weight, moments, means, d, dx.at(r * cols), cols);
    });
  }
  if (dweight) {
    const auto row = [=](int64_t, int64_t r) {
      return [xr = x + r * cols, dyr = dy + r * cols, m = mean[r], s = rstd[r]](int64_t c) {
        return dyr[c] * ((xr[c] - m) * s);
      };
    };
    sum_columns<T>(cpu, 1, rows, cols, row, [=](int64_t, int64_t first, int64_t width, const double* total) {
      put_each(OneThread(), dweight.at(first), width, [=](int64_t c) { return T(total[c]); });
    });
  }
  if (dbias) {
    const auto row = [=](int64_t, int64_t r) { return [dyr = dy + r * cols](int64_t c) { return dyr[c]; }; };
    sum_columns<T>(cpu, 1, rows, cols, row, [=](int64_t, int64_t first, int64_t width, const double* total) {
      put_each(OneThread(), dbias.at(first), width, [=](int64_t c) { return T(total[c]); });
    });
  }
}

#define ACE_INSTANTIATE(T)                                                                                            \
  template void layer_norm(Cpu, const T*, const T*, const T*, T*, T*, T*, int64_t, int64_t, T);                       \
  template void layer_norm_backward(Cpu, const T*, const T*, const T*, const T*, const T*, Grad<T>, Grad<T>, Grad<T>, \
                                    int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
