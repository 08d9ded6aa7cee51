#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace kernels {

/// The widest vectors of the instruction set that this file is compiled for, as the compiler's own vector types.
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(vector_bytes)));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
inline constexpr int lanes = vector_bytes / int(sizeof(T));

template <class T>
inline Vector<T> load(const T* from) {
  Vector<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class T>
inline void store(T* to, Vector<T> v) {
  std::memcpy(to, &v, sizeof v);
}

/// As many numbers of half the width, each widened. From the vector types compilers make it in two halves and join
/// them, at half the speed, so wide vectors name the instruction.
template <class Half>
inline auto load_wider(const Half* from) {
  using T = std::conditional_t<std::is_same_v<Half, int8_t>, int16_t, uint32_t>;
  typedef Half Halves __attribute__((vector_size(vector_bytes / 2)));
  static_assert(std::is_same_v<Half, int8_t> || std::is_same_v<Half, uint16_t>);
  Halves v;
  std::memcpy(&v, from, sizeof v);
#if defined(__AVX512BW__)
  if constexpr (sizeof(Half) == 1)
    return Vector<T>(_mm512_maskz_cvtepi8_epi16(__mmask32(-1), __m256i(v)));
  else
    return Vector<T>(_mm512_maskz_cvtepu16_epi32(__mmask16(-1), __m256i(v)));
#elif defined(__AVX2__)
  if constexpr (sizeof(Half) == 1)
    return Vector<T>(_mm256_cvtepi8_epi16(__m128i(v)));
  else
    return Vector<T>(_mm256_cvtepu16_epi32(__m128i(v)));
#else
  return __builtin_convertvector(v, Vector<T>);
#endif
}

/// a_0 b_0 a_1 b_1 …: from the lower halves of a and b, or from the upper ones.
template <class T, bool upper>
inline Vector<T> interleave(Vector<T> a, Vector<T> b) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, ((upper ? lanes<T> / 2 : 0) + int(I) / 2 + (I % 2 ? lanes<T> : 0))...);
  }
  (std::make_index_sequence<size_t(lanes<T>)>());
}

/// Transposes the square that `rows` holds, one vector a row, in log₂ n perfect shuffles.
template <class T>
inline void transpose(Vector<T> (&rows)[lanes<T>]) {
  constexpr int n = lanes<T>;
#pragma GCC unroll 8
  for (int step = 1; step < n; step *= 2) {
    Vector<T> next[n];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = interleave<T, false>(rows[i], rows[i + n / 2]);
      next[2 * i + 1] = interleave<T, true>(rows[i], rows[i + n / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
}

}  // namespace kernels
