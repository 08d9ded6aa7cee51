#pragma once
#include "kernels/attention_tile.h"

namespace kernels::tiled {

/// Sixteen bytes of a row.
template <class T>
struct alignas(16) Vector {
  static constexpr int size = 16 / sizeof(T);
  T x[size];
};
template <class T>
__device__ void read(const T* from, Accumulator<T> (&to)[Vector<T>::size]) {
  const Vector<T> all = *reinterpret_cast<const Vector<T>*>(from);
#pragma unroll
  for (int e = 0; e < Vector<T>::size; ++e) to[e] = Accumulator<T>(all.x[e]);
}

/// A step of decoding: 16 bytes of a row a lane, `group` neighbouring lanes a head, so that a warp has 512 bytes of
/// heads that lie side by side. It is bound by the bytes of keys and values, each read once: positions are unrolled, to
/// have several on their way.
template <class T>
__global__ void step_kernel(int64_t rows, int64_t d, int group, Accumulator<T> scale, int positions, const int32_t* at,
                            const T* q, const T* const* k, const T* const* v, T* o) {
  using A = Accumulator<T>;
  constexpr int size = Vector<T>::size;
  const int64_t lanes = rows * (d / size), step = int64_t(gridDim.x) * blockDim.x;
  // Lanes past the end repeat the last one's work, since the others of their warp may need them to exchange sums.
  for (int64_t first = int64_t(blockIdx.x) * blockDim.x; first < lanes; first += step) {
    const int64_t mine = first + threadIdx.x, lane = mine < lanes ? mine : lanes - 1;
    const int64_t r = lane / (d / size), column = lane % (d / size) * size;
    A x[size], key[size], value[size], sum[size] = {}, top = -infinity<A>, total = 0;
    read(q + r * d + column, x);
#pragma unroll 4
    for (int p = 0; p < positions; ++p) {
      const int64_t there = at[p * rows + r] * d + column;
      read(k[p] + there, key);
      read(v[p] + there, value);
      A score = 0;
      for (int e = 0; e < size; ++e) score += x[e] * key[e];
      for (int other = group / 2; other > 0; other /= 2) score += __shfl_xor_sync(whole_warp, score, other);
      score *= scale;
      const A high = larger_or_nan(top, score), weight = exp(score - high), before = p == 0 ? A(0) : exp(top - high);
      for (int e = 0; e < size; ++e) sum[e] = sum[e] * before + weight * value[e];
      total = total * before + weight;
      top = high;
    }
    if (mine >= lanes) continue;
    Vector<T> out;
    for (int e = 0; e < size; ++e) out.x[e] = narrow<T>(sum[e] / total);
    *reinterpret_cast<Vector<T>*>(o + r * d + column) = out;
  }
}

}  // namespace kernels::tiled
