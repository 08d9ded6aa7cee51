#pragma once
#include <bit>
#include <cstdint>

/// The numbers that kernels compute with. f32 and f64 are the language's own; f16 and bf16 are two bytes with exact
/// conversions and no arithmetic: a kernel converts on load, computes in Accumulator<T>, converts on store.

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define ACE_HD __host__ __device__ __forceinline__
#else
#define ACE_HD inline
#endif

namespace kernels {

/// bfloat16: the upper half of an f32. Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
struct bf16 {
  uint16_t bits = 0;
  bf16() = default;
  ACE_HD explicit bf16(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800  // older cards have no instruction for it
    bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
    const uint32_t u = std::bit_cast<uint32_t>(x);
    bits = (u & 0x7fffffffu) > 0x7f800000u ? uint16_t(u >> 16 | 0x40) : uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
#endif
  }
  ACE_HD operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};

/// IEEE 754 binary16. Rounds to nearest, ties to even; overflow becomes infinity; subnormals are kept.
struct f16 {
  uint16_t bits = 0;
  f16() = default;
  ACE_HD explicit f16(float x) {
#ifdef __CUDA_ARCH__
    bits = __half_as_ushort(__float2half_rn(x));
#else
    const uint32_t u = std::bit_cast<uint32_t>(x), sign = u >> 16 & 0x8000u, magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
      bits = uint16_t(sign | 0x7e00u);
    } else if (magnitude >= 0x477ff000u) {  // rounds to 65536 or more
      bits = uint16_t(sign | 0x7c00u);
    } else if (magnitude < 0x38800000u) {  // below 2^-14: let the f32 adder round to multiples of 2^-24
      const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
      bits = uint16_t(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
    } else {
      bits = uint16_t(sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13));
    }
#endif
  }
  ACE_HD operator float() const {
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(bits));
#else
    const uint32_t sign = uint32_t(bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, fraction = bits & 0x3ffu;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) {  // fraction · 2^-24, exact in f32
      const float value = float(fraction) * 5.9604644775390625e-8f;
      return sign ? -value : value;
    }
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
#endif
  }
};

template <class T>
struct AccumulatorOf {
  using type = T;
};
template <>
struct AccumulatorOf<f16> {
  using type = float;
};
template <>
struct AccumulatorOf<bf16> {
  using type = float;
};
/// What sums, maxima and formulas are computed in: f32 for the 16-bit types, else T itself.
template <class T>
using Accumulator = typename AccumulatorOf<T>::type;

/// Where a gradient goes: written the first time, added after that. Null when nobody wants it.
template <class T>
struct Grad {
  T* data = nullptr;
  bool add = false;
  ACE_HD explicit operator bool() const { return data != nullptr; }
  ACE_HD void put(int64_t i, Accumulator<T> value) const { data[i] = T(add ? Accumulator<T>(data[i]) + value : value); }
  ACE_HD Grad at(int64_t offset) const { return {data + offset, add}; }
};

}  // namespace kernels
