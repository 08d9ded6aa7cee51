#include "kernels/loss.h"

#include "kernels/rows.h"

namespace kernels {

template <class T>
void cross_entropy(Cpu cpu, const T* logits, const int32_t* targets, T* loss, int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 12 * cols,
           [=](auto team, int64_t r) { loss[r] = cross_entropy_row(team, logits + r * cols, targets[r], cols); });
}

template <class T>
void cross_entropy_backward(Cpu cpu, const T* logits, const int32_t* targets, const T* dloss, Grad<T> dlogits,
                            int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 24 * cols, [=](auto team, int64_t r) {
    cross_entropy_backward_row(team, logits + r * cols, targets[r], dloss[r], dlogits.at(r * cols), cols);
  });
}

template <class T>
void bidirectional_kl(Cpu cpu, const T* a, const T* b, T* loss, int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 48 * cols,
           [=](auto team, int64_t r) { loss[r] = bidirectional_kl_row(team, a + r * cols, b + r * cols, cols); });
}

template <class T>
void bidirectional_kl_backward(Cpu cpu, const T* a, const T* b, const T* dloss, Grad<T> da, Grad<T> db, int64_t rows,
                               int64_t cols) {
  for_rows(cpu, rows, 72 * cols, [=](auto team, int64_t r) {
    bidirectional_kl_backward_row(team, a + r * cols, b + r * cols, dloss[r], row_of(da, r, cols), row_of(db, r, cols),
                                  cols);
  });
}

template <class T>
void squared_error(Cpu cpu, const T* a, const T* b, T* loss, int64_t rows, int64_t cols) {
  for_rows(cpu, rows, 3 * cols,
           [=](auto team, int64_t r) { loss[r] = squared_error_row(team, a + r * cols, b + r * cols, cols); });
}

template <class T>
void squared_error_backward(Cpu cpu, const T* a, const T* b, const T* dloss, Grad<T> da, Grad<T> db, int64_t rows,
                            int64_t cols) {
  for_rows(cpu, rows, 6 * cols, [=](auto team, int64_t r) {
    squared_error_backward_row(team, a + r * cols, b + r * cols, dloss[r], row_of(da, r, cols), row_of(db, r, cols),
                               cols);
  });
}

#define ACE_INSTANTIATE(T)                                                                                        \
  template void cross_entropy(Cpu, const T*, const int32_t*, T*, int64_t, int64_t);                               \
  template void cross_entropy_backward(Cpu, const T*, const int32_t*, const T*, Grad<T>, int64_t, int64_t);       \
  template void bidirectional_kl(Cpu, const T*, const T*, T*, int64_t, int64_t);                                  \
  template void bidirectional_kl_backward(Cpu, const T*, const T*, const T*, Grad<T>, Grad<T>, int64_t, int64_t); \
  template void squared_error(Cpu, const T*, const T*, T*, int64_t, int64_t);                                     \
  template void squared_error_backward(Cpu, const T*, const T*, const T*, Grad<T>, Grad<T>, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
