#include "kernels/softmax.h"

#include "kernels/rows.h"

namespace kernels {

template <class T>
void softmax(Cpu cpu, const T* x, T* y, int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 12 * cols, [=](auto team, int64_t r) { softmax_row(team, x + r * cols, y + r * cols, cols); });
}

template <class T>
void softmax_backward(Cpu cpu, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 4 * cols, [=](auto team, int64_t r) {
    softmax_backward_row(team, y + r * cols, dy + r * cols, dx.at(r * cols), cols);
  });
}

template <class T>
void log_softmax(Cpu cpu, const T* x, T* y, int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 12 * cols,
           [=](auto team, int64_t r) { log_softmax_row(team, x + r * cols, y + r * cols, cols); });
}

template <class T>
void log_softmax_backward(Cpu cpu, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 12 * cols, [=](auto team, int64_t r) {
    log_softmax_backward_row(team, y + r * cols, dy + r * cols, dx.at(r * cols), cols);
  });
}

#define ACE_INSTANTIATE(T)                                                            \
  template void softmax(Cpu, const T*, T*, int64_t, int64_t);                         \
  template void softmax_backward(Cpu, const T*, const T*, Grad<T>, int64_t, int64_t); \
  template void log_softmax(Cpu, const T*, T*, int64_t, int64_t);                     \
  template void log_softmax_backward(Cpu, const T*, const T*, Grad<T>, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
