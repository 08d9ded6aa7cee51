#pragma once
#include <bit>

#include "kernels/number.h"

/// As in cuda_fp16.h.
struct __nv_bfloat16 {
  unsigned short bits;
  __nv_bfloat16() = default;
  __nv_bfloat16(float x) : bits(kernels::bf16(x).bits) {}
  operator float() const { return std::bit_cast<kernels::bf16>(bits); }
};
inline __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
inline __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
inline float __bfloat162float(__nv_bfloat16 x) { return float(x); }
