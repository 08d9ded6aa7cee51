#include "kernels/embedding.h"

#include "kernels/rows.h"

namespace kernels {

template <class T>
void embedding(Cpu cpu, const T* table, const int32_t* ids, T* y, int64_t n, int64_t width, T scale) {
  for_rows(cpu, n, width,
           [=](auto team, int64_t i) { embedding_row(team, table + ids[i] * width, y + i * width, width, scale); });
}

template <class T>
void embedding_backward(Cpu cpu, const T* dy, const int32_t* ids, Grad<T> dtable, int64_t n, int64_t, int64_t width,
                        T scale) {
  cpu.parallel(width, 2 * n, [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) {
      embedding_backward_row(OneThread(), dy + i * width + begin, dtable.data + ids[i] * width + begin, end - begin,
                             scale);
    }
  });
}

#define ACE_INSTANTIATE(T)                                                         \
  template void embedding(Cpu, const T*, const int32_t*, T*, int64_t, int64_t, T); \
  template void embedding_backward(Cpu, const T*, const int32_t*, Grad<T>, int64_t, int64_t, int64_t, T);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
