#pragma once
#include "kernels/attention_tile.h"
#include "kernels/pack.h"

namespace kernels::tiled {

/// A step of decoding: 16 bytes of a row a lane, `group` neighbouring lanes a head, so that a warp has 512 bytes of
/// heads that lie side by side. It is bound by the bytes of keys and values, each read once: those of several
/// positions are read before the first is looked at.
template <class T>
__global__ void step_kernel(int64_t rows, int64_t d, int group, Accumulator<T> scale, int positions, const int32_t* at,
                            const T* q, const T* const* k, const T* const* v, T* o) {
  using A = Accumulator<T>;
  constexpr int size = pack_size<T>, ahead = 4;
  const int64_t lanes = rows * (d / size), step = int64_t(gridDim.x) * blockDim.x;
  // Lanes past the end repeat the last one's work, since the others of their warp may need them to exchange sums.
  for (int64_t first = int64_t(blockIdx.x) * blockDim.x; first < lanes; first += step) {
    const int64_t mine = first + threadIdx.x, lane = mine < lanes ? mine : lanes - 1;
    const int64_t r = lane / (d / size), column = lane % (d / size) * size;
    const Values<T, size> x(q + r * d + column);
    A sum[size] = {}, top = -infinity<A>, total = 0;
    for (int begin = 0; begin < positions; begin += ahead) {
      Pack<T, size> keys[ahead], values[ahead];
      unrolled<ahead>([&](int n) {
        const int p = begin + n < positions ? begin + n : positions - 1;  // the last again, rather than a branch
        const int64_t there = at[p * rows + r] * d + column;
        keys[n] = *reinterpret_cast<const Pack<T, size>*>(k[p] + there);
        values[n] = *reinterpret_cast<const Pack<T, size>*>(v[p] + there);
      });
      unrolled<ahead>([&](int n) {
        if (begin + n >= positions) return;
        A score = 0;
        for (int e = 0; e < size; ++e) score += x.at[e] * A(keys[n].at[e]);
        for (int other = group / 2; other > 0; other /= 2) score += __shfl_xor_sync(whole_warp, score, other);
        score *= scale;
        const A high = larger_or_nan(top, score), weight = exp(score - high);
        const A before = begin + n == 0 ? A(0) : exp(top - high);
        for (int e = 0; e < size; ++e) sum[e] = sum[e] * before + weight * A(values[n].at[e]);
        total = total * before + weight;
        top = high;
      });
    }
    if (mine >= lanes) continue;
    Pack<T, size> out;
    for (int e = 0; e < size; ++e) out.at[e] = T(sum[e] / total);
    *reinterpret_cast<Pack<T, size>*>(o + r * d + column) = out;
  }
}

}  // namespace kernels::tiled
