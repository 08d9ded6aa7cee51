#include "kernels/softmax.h"

#include "kernels/launch.h"

namespace kernels {
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
  with_team(rows, cols, [=](auto team, dim3 blocks) {
    launch(softmax_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), x, y, rows, cols);
  });
}

template <class T>
void softmax_backward(Cuda cuda, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  with_team(rows, cols, [=](auto team, dim3 blocks) {
    launch(softmax_backward_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), y, dy, dx, rows, cols);
  });
}

template <class T>
void log_softmax(Cuda cuda, const T* x, T* y, int64_t rows, int64_t cols) {
  with_team(rows, cols, [=](auto team, dim3 blocks) {
    launch(log_softmax_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), x, y, rows, cols);
  });
}

template <class T>
void log_softmax_backward(Cuda cuda, const T* y, const T* dy, Grad<T> dx, int64_t rows, int64_t cols) {
  with_team(rows, cols, [=](auto team, dim3 blocks) {
    launch(log_softmax_backward_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), y, dy, dx, rows,
           cols);
  });
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
