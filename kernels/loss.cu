#include "kernels/held_logits.h"
#include "kernels/loss.h"

namespace kernels {

/// The row formulas of loss.h with the rows in registers.
template <class Base, int slots, class T>
__device__ Accumulator<T> cross_entropy_row(Held<Base, T, slots> held, const T* x, int32_t target, int64_t cols) {
  typename Held<Base, T, slots>::Row row;
  held.load(x, cols, row);
  const auto norm = held_normaliser(held, row, cols);
  return log(norm.total) + (norm.max - Accumulator<T>(x[target]));
}

template <class Base, int slots, class T>
__device__ void cross_entropy_backward_row(Held<Base, T, slots> held, const T* x, int32_t target, Accumulator<T> dloss,
                                           Grad<T> dx, int64_t cols) {
  using A = Accumulator<T>;
  typename Held<Base, T, slots>::Row e;
  held.load(x, cols, e);
  const A z = held_softmax(held, e, cols);
  held.put_held(dx, cols, [&](int s, int i) { return (i == target ? e[s] * z - A(1) : e[s] * z) * dloss; });
}

template <class Base, int slots, class T>
__device__ Accumulator<T> bidirectional_kl_row(Held<Base, T, slots> held, const T* a, const T* b, int64_t cols) {
  typename Held<Base, T, slots>::Row log_p, log_q;
  held.load(a, cols, log_p);
  held.load(b, cols, log_q);
  held_log_softmax(held, log_p, cols);
  held_log_softmax(held, log_q, cols);
  return held.sum_held(cols, [&](int s) { return (exp(log_p[s]) - exp(log_q[s])) * (log_p[s] - log_q[s]); });
}

template <class Base, int slots, class T>
__device__ void bidirectional_kl_backward_row(Held<Base, T, slots> held, const T* a, const T* b, Accumulator<T> dloss,
                                              Grad<T> da, Grad<T> db, int64_t cols) {
  typename Held<Base, T, slots>::Row log_p, log_q;
  held.load(a, cols, log_p);
  held.load(b, cols, log_q);
  held_log_softmax(held, log_p, cols);
  held_log_softmax(held, log_q, cols);
  const auto pl = held.sum_held(cols, [&](int s) { return exp(log_p[s]) * (log_p[s] - log_q[s]); });
  const auto ql = held.sum_held(cols, [&](int s) { return exp(log_q[s]) * (log_p[s] - log_q[s]); });
  if (da) {
    held.put_held(da, cols, [&](int s, int) {
      const auto p = exp(log_p[s]), q = exp(log_q[s]), l = log_p[s] - log_q[s];
      return (p * (l - pl) + p - q) * dloss;
    });
  }
  if (db) {
    held.put_held(db, cols, [&](int s, int) {
      const auto p = exp(log_p[s]), q = exp(log_q[s]), l = log_p[s] - log_q[s];
      return (q * (ql - l) + q - p) * dloss;
    });
  }
}

template <class Base, int slots, class T>
__device__ Accumulator<T> squared_error_row(Held<Base, T, slots> held, const T* a, const T* b, int64_t cols) {
  typename Held<Base, T, slots>::Row x, y;
  held.load(a, cols, x);
  held.load(b, cols, y);
  return held.sum_held(cols, [&](int s) { return (x[s] - y[s]) * (x[s] - y[s]); });
}

template <class Base, int slots, class T>
__device__ void squared_error_backward_row(Held<Base, T, slots> held, const T* a, const T* b, Accumulator<T> dloss,
                                           Grad<T> da, Grad<T> db, int64_t cols) {
  const auto two = 2 * dloss;
  typename Held<Base, T, slots>::Row d;
  held.load(a, cols, d);
  held.runs(cols, [&](int slot, int i) {
    const Values<T, held.width> y(b + i);
    unrolled<held.width>([&](int k) { d[slot + k] = two * (d[slot + k] - y.at[k]); });
  });
  if (da) held.put_held(da, cols, [&](int s, int) { return d[s]; });
  if (db) held.put_held(db, cols, [&](int s, int) { return -d[s]; });
}

namespace {

template <class Team, class T>
__global__ void cross_entropy_kernel(const T* logits, const int32_t* targets, Accumulator<T>* loss, int64_t rows,
                                     int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) {
    const auto value = cross_entropy_row(Team(), logits + r * cols, targets[r], cols);
    if (Team::lane() == 0) loss[r] = value;
  });
}

template <class Team, class T>
__global__ void cross_entropy_backward_kernel(const T* logits, const int32_t* targets, const Accumulator<T>* dloss,
                                              Grad<T> dlogits, int64_t rows, int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) {
    cross_entropy_backward_row(Team(), logits + r * cols, targets[r], dloss[r], dlogits.at(r * cols), cols);
  });
}

template <class Team, class T>
__global__ void bidirectional_kl_kernel(const T* a, const T* b, Accumulator<T>* loss, int64_t rows, int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) {
    const auto value = bidirectional_kl_row(Team(), a + r * cols, b + r * cols, cols);
    if (Team::lane() == 0) loss[r] = value;
  });
}

template <class Team, class T>
__global__ void bidirectional_kl_backward_kernel(const T* a, const T* b, const Accumulator<T>* dloss, Grad<T> da,
                                                 Grad<T> db, int64_t rows, int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) {
    bidirectional_kl_backward_row(Team(), a + r * cols, b + r * cols, dloss[r], row_of(da, r, cols),
                                  row_of(db, r, cols), cols);
  });
}

template <class Team, class T>
__global__ void squared_error_kernel(const T* a, const T* b, Accumulator<T>* loss, int64_t rows, int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) {
    const auto value = squared_error_row(Team(), a + r * cols, b + r * cols, cols);
    if (Team::lane() == 0) loss[r] = value;
  });
}

template <class Team, class T>
__global__ void squared_error_backward_kernel(const T* a, const T* b, const Accumulator<T>* dloss, Grad<T> da,
                                              Grad<T> db, int64_t rows, int64_t cols) {
  each_row(Team(), rows, [=](int64_t r) {
    squared_error_backward_row(Team(), a + r * cols, b + r * cols, dloss[r], row_of(da, r, cols), row_of(db, r, cols),
                               cols);
  });
}

}  // namespace

template <class T>
void cross_entropy(Cuda cuda, const T* logits, const int32_t* targets, Accumulator<T>* loss, int64_t rows,
                   int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(logits),
      [](auto team) { return cross_entropy_kernel<decltype(team), T>; }, logits, targets, loss);
}

template <class T>
void cross_entropy_backward(Cuda cuda, const T* logits, const int32_t* targets, const Accumulator<T>* dloss,
                            Grad<T> dlogits, int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(logits, dlogits.data),
      [](auto team) { return cross_entropy_backward_kernel<decltype(team), T>; }, logits, targets, dloss, dlogits);
}

template <class T>
void bidirectional_kl(Cuda cuda, const T* a, const T* b, Accumulator<T>* loss, int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(a, b),
      [](auto team) { return bidirectional_kl_kernel<decltype(team), T>; }, a, b, loss);
}

template <class T>
void bidirectional_kl_backward(Cuda cuda, const T* a, const T* b, const Accumulator<T>* dloss, Grad<T> da, Grad<T> db,
                               int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(a, b, da.data, db.data),
      [](auto team) { return bidirectional_kl_backward_kernel<decltype(team), T>; }, a, b, dloss, da, db);
}

template <class T>
void squared_error(Cuda cuda, const T* a, const T* b, Accumulator<T>* loss, int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(a, b),
      [](auto team) { return squared_error_kernel<decltype(team), T>; }, a, b, loss);
}

template <class T>
void squared_error_backward(Cuda cuda, const T* a, const T* b, const Accumulator<T>* dloss, Grad<T> da, Grad<T> db,
                            int64_t rows, int64_t cols) {
  launch_rows<T>(
      cuda, rows, cols, packs_fit<pack_size<T>>(a, b, da.data, db.data),
      [](auto team) { return squared_error_backward_kernel<decltype(team), T>; }, a, b, dloss, da, db);
}

#define ACE_INSTANTIATE(T)                                                                                            \
  template void cross_entropy(Cuda, const T*, const int32_t*, Accumulator<T>*, int64_t, int64_t);                     \
  template void cross_entropy_backward(Cuda, const T*, const int32_t*, const Accumulator<T>*, Grad<T>, int64_t,       \
                                       int64_t);                                                                      \
  template void bidirectional_kl(Cuda, const T*, const T*, Accumulator<T>*, int64_t, int64_t);                        \
  template void bidirectional_kl_backward(Cuda, const T*, const T*, const Accumulator<T>*, Grad<T>, Grad<T>, int64_t, \
                                          int64_t);                                                                   \
  template void squared_error(Cuda, const T*, const T*, Accumulator<T>*, int64_t, int64_t);                           \
  template void squared_error_backward(Cuda, const T*, const T*, const Accumulator<T>*, Grad<T>, Grad<T>, int64_t,    \
                                       int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
