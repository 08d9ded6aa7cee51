#pragma once
#include <algorithm>

#include "kernels/launch.h"

/// Numbers 16 bytes at a time, as a GPU's memory wants to be read and written: a *pack*.
namespace kernels {

/// N numbers in a row, read and written in accesses of up to 16 bytes.
template <class T, int N>
struct alignas(std::min(N * sizeof(T), size_t(16))) Pack {
  T at[N];
};

/// The size of a pack in which the smallest of these types fills 16 bytes.
template <class... T>
inline constexpr int pack_size = int(16 / std::min({sizeof(T)...}));

/// Whether packs of N may be accessed from these addresses on; null is no obstacle.
template <int N, class... T>
ACE_HD bool packs_fit(const T*... from) {
  return ((reinterpret_cast<uintptr_t>(from) % alignof(Pack<T, N>) == 0) && ...);
}

/// N numbers in the accumulator's type: those from `from` on, or that one N times.
template <class T, int N>
struct Values {
  Accumulator<T> at[N] = {};
  Values() = default;
  __device__ explicit Values(const T* from) { read(from); }
  __device__ void read(const T* from, bool repeated = false) {
    if (repeated) {
      const Accumulator<T> value = Accumulator<T>(*from);
      unrolled<N>([&](int j) { at[j] = value; });
    } else {
      const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
      unrolled<N>([&](int j) { at[j] = Accumulator<T>(pack.at[j]); });
    }
  }
};

/// y_j = (or +=) f(j), j in 0 … N−1.
template <int N, class T, class F>
__device__ __forceinline__ void put_pack(Grad<T> y, const F& f) {
  Pack<T, N>& place = *reinterpret_cast<Pack<T, N>*>(y.data);
  Accumulator<T> value[N];
  unrolled<N>([&](int j) { value[j] = f(j); });
  if (y.add) {
    const Pack<T, N> before = place;
    unrolled<N>([&](int j) { value[j] += Accumulator<T>(before.at[j]); });
  }
  Pack<T, N> pack;
  unrolled<N>([&](int j) { pack.at[j] = T(value[j]); });
  place = pack;
}

}  // namespace kernels
