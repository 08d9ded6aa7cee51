#include "kernels/held_norm.h"
#include "kernels/residual_norm.h"

namespace kernels {

template <class Base, int slots, class T>
__device__ RowMoments<Accumulator<T>> layer_norm_row(Held<Base, T, slots> held, const T* x,
                                                     const Accumulator<T>* weight, const Accumulator<T>* bias, T* y,
                                                     int64_t cols, Accumulator<T> epsilon) {
  typename Held<Base, T, slots>::Row row;
  held.load(x, cols, row);
  return held_layer_norm(held, row, weight, bias, y, cols, epsilon);
}

namespace {

template <class Team, class T>
__global__ void layer_norm_kernel(const T* x, const Accumulator<T>* weight, const Accumulator<T>* bias, T* y,
                                  Accumulator<T>* mean, Accumulator<T>* rstd, int64_t rows, int64_t cols,
                                  Accumulator<T> epsilon) {
  each_row(Team(), rows, [=](int64_t r) {
    const auto moments = layer_norm_row(Team(), x + r * cols, weight, bias, y + r * cols, cols, epsilon);
    if (mean != nullptr && Team::lane() == 0) mean[r] = moments.mean;
    if (rstd != nullptr && Team::lane() == 0) rstd[r] = moments.rstd;
  });
}

}  // namespace

template <class T>
void layer_norm(Cuda cuda, const T* x, const Accumulator<T>* weight, const Accumulator<T>* bias, T* y,
                Accumulator<T>* mean, Accumulator<T>* rstd, int64_t rows, int64_t cols, Accumulator<T> epsilon) {
  with_rows<T>(rows, cols, packs_fit<pack_size<T>>(x, weight, bias, y), [=](auto team, dim3 blocks) {
    launch(layer_norm_kernel<decltype(team), T>, blocks, team.threads, 0, cuda.stream(), x, weight, bias, y, mean, rstd,
           rows, cols, epsilon);
  });
}

/// That of the residual sum, of which no branch wants a part.
template <class T>
void layer_norm_backward(Cuda cuda, const T* x, const Accumulator<T>* weight, const Accumulator<T>* mean,
                         const Accumulator<T>* rstd, const T* dy, Grad<T> dx, Grad<Accumulator<T>> dweight,
                         Grad<Accumulator<T>> dbias, int64_t rows, int64_t cols) {
  using A = Accumulator<T>;
  const int64_t bytes = residual_norm_backward_scratch(rows, cols) * int64_t(sizeof(A));
  const bool parameters = dweight || dbias;
  A* const scratch = parameters ? static_cast<A*>(cuda.scratch(1, bytes)) : nullptr;
  if (parameters && scratch == nullptr) return;
  residual_norm_backward(cuda, Drop(), x, weight, mean, rstd, dy, dx, Grad<T>(), dweight, dbias, scratch, rows, cols);
}

#define ACE_INSTANTIATE(T)                                                                                    \
  template void layer_norm(Cuda, const T*, const Accumulator<T>*, const Accumulator<T>*, T*, Accumulator<T>*, \
                           Accumulator<T>*, int64_t, int64_t, Accumulator<T>);                                \
  template void layer_norm_backward(Cuda, const T*, const Accumulator<T>*, const Accumulator<T>*,             \
                                    const Accumulator<T>*, const T*, Grad<T>, Grad<Accumulator<T>>,           \
                                    Grad<Accumulator<T>>, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
