#include "kernels/softmax.h"

#include "kernels/held_logits.h"

namespace kernels {

/// The row formulas of softmax.h with the row in registers.
template <class Base, int slots, class T>
__device__ void softmax_row(Held<Base, T, slots> held, const T* x, T* y, int64_t cols) {
  using A = Accumulator<T>;
  typename Held<Base, T, slots>::Row e;
  held.load(x, cols, e);
  const A z = held_softmax(held, e, cols);
  held.store(y, cols, [&](int s, int) { return e[s] * z; });
}

template <class Base, int slots, class T>
__device__ void softmax_backward_row(Held<Base, T, slots> held, const T* y, const T* dy, Grad<T> dx, int64_t cols) {
  typename Held<Base, T, slots>::Row p, d;
  held.load(y, cols, p);
  held.load(dy, cols, d);
  const auto dot = held.sum_held(cols, [&](int s) { return d[s] * p[s]; });
  held.put_held(dx, cols, [&](int s, int) { return p[s] * (d[s] - dot); });
}

template <class Base, int slots, class T>
__device__ void log_softmax_row(Held<Base, T, slots> held, const T* x, T* y, int64_t cols) {
  typename Held<Base, T, slots>::Row v;
  held.load(x, cols, v);
  held_log_softmax(held, v, cols);
  held.store(y, cols, [&](int s, int) { return v[s]; });
}

template <class Base, int slots, class T>
__device__ void log_softmax_backward_row(Held<Base, T, slots> held, const T* y, const T* dy, Grad<T> dx, int64_t cols) {
  typename Held<Base, T, slots>::Row v, d;
  held.load(y, cols, v);
  held.load(dy, cols, d);
  const auto total = held.sum_held(cols, [&](int s) { return d[s]; });
  held.put_held(dx, cols, [&](int s, int) { return d[s] - exp(v[s]) * total; });
}

namespace {

template <class Team, class T>
__global__ void softmax_kernel(const T* x, T* y, int64_t rows, int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) { softmax_row(Team(), x + r * cols, y + r * cols, cols); });
}

template <class Team, class T>
__global__ void softmax_backward_kernel(const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  each_row(Team(), rows,
           [=](int64_t r) { softmax_backward_row(Team(), y + r * cols, dy + r * cols, dx.at(r * cols), cols); });
}

template <class Team, class T>
__global__ void log_softmax_kernel(const T* x, T* y, int64_t rows, int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) { log_softmax_row(Team(), x + r * cols, y + r * cols, cols); });
}

template <class Team, class T>
__global__ void log_softmax_backward_kernel(const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  each_row(Team(), rows,
           [=](int64_t r) { log_softmax_backward_row(Team(), y + r * cols, dy + r * cols, dx.at(r * cols), cols); });
}

}  // namespace

template <class T>
void softmax(Cuda cuda, const T* x, T* y, int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(x, y), [](auto team) { return softmax_kernel<decltype(team), T>; }, x,
      y);
}

template <class T>
void softmax_backward(Cuda cuda, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(y, dy, dx.data),
      [](auto team) { return softmax_backward_kernel<decltype(team), T>; }, y, dy, dx);
}

template <class T>
void log_softmax(Cuda cuda, const T* x, T* y, int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(x, y), [](auto team) { return log_softmax_kernel<decltype(team), T>; },
      x, y);
}

template <class T>
void log_softmax_backward(Cuda cuda, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(y, dy, dx.data),
      [](auto team) { return log_softmax_backward_kernel<decltype(team), T>; }, y, dy, dx);
}

#define ACE_INSTANTIATE(T)                                                             \
  template void softmax(Cuda, const T*, T*, int64_t, int64_t);                         \
  template void softmax_backward(Cuda, const T*, const T*, Grad<T>, int64_t, int64_t); \
  template void log_softmax(Cuda, const T*, T*, int64_t, int64_t);                     \
  template void log_softmax_backward(Cuda, const T*, const T*, Grad<T>, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
