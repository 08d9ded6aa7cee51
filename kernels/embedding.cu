#include "kernels/embedding.h"

#include "kernels/named_sums.h"
#include "kernels/packs.h"

namespace kernels {
namespace {

template <int N, class T>
__global__ void embedding_kernel(const Accumulator<T>* table, const int32_t* ids, T* y, int64_t n, int64_t width,
                                 Accumulator<T> scale) {
  each_pack<N>(n, width, [=](int64_t i, int64_t c, auto size) {
    const Values<Accumulator<T>, size.value> entry(table + int64_t(ids[i]) * width + c);
    put_pack<size.value>(Grad<T>{y + i * width + c}, [&](int j) { return scale * entry.at[j]; });
  });
}

}  // namespace

template <class T>
void embedding(Cuda cuda, const Accumulator<T>* table, const int32_t* ids, T* y, int64_t n, int64_t width,
               Accumulator<T> scale) {
  constexpr int most = pack_size<T>;
  with_packs<most>(width % most == 0 && packs_fit<most>(table, y), [&](auto size) {
    const PackGrid<size.value> grid(n, width);
    launch(embedding_kernel<size.value, T>, grid.blocks, grid.threads, 0, cuda.stream(), table, ids, y, n, width,
           scale);
  });
}

template <class T>
void embedding_backward(Cuda cuda, const T* dy, const int32_t* ids, Grad<Accumulator<T>> dtable, int64_t n,
                        int64_t entries, int64_t width, Accumulator<T> scale) {
  named_sums(cuda, dy, ids, scale, dtable.data, n, entries, width);
}

#define ACE_INSTANTIATE(T)                                                                                          \
  template void embedding(Cuda, const Accumulator<T>*, const int32_t*, T*, int64_t, int64_t, Accumulator<T>);       \
  template void embedding_backward(Cuda, const T*, const int32_t*, Grad<Accumulator<T>>, int64_t, int64_t, int64_t, \
                                   Accumulator<T>);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
