#pragma once
#include <bit>

#include "kernels/number.h"

/// NVIDIA's two-byte numbers, as far as kernels need them: they convert, and are what wmma multiplies.
struct __half {
  unsigned short bits;
  __half() = default;
  __half(float x) : bits(kernels::f16(x).bits) {}
  operator float() const { return std::bit_cast<kernels::f16>(bits); }
};
using half = __half;
inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline float __half2float(__half x) { return float(x); }
