#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/number.h"

/// Functions that vectorise: straight-line polynomials in f32 (within 2 ulp of the true value), the library's in f64.
namespace kernels {

/// e^x = 2^n · e^r, n = round(x / ln 2), r = x − n ln 2 in two parts, e^r by its series to r⁷. 0 below −103.97, ∞ above
/// 88.72, NaN stays NaN.
ACE_HD float exp(float x) {
#ifdef __CUDA_ARCH__
  return ::expf(x);
#else
  const float clamped = x < -104.0f ? -104.0f : (x > 89.0f ? 89.0f : x);  // a NaN passes both comparisons
  const float shifted = clamped * 1.44269504f + 12582912.0f;              // 1.5 · 2²³: the fraction bits hold n
  const float n = shifted - 12582912.0f;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // 2^n as two factors, so that both stay normal down to the subnormal results and up to the overflow
  const int32_t i = std::bit_cast<int32_t>(shifted) - 0x4b400000, half = i >> 1;
  const float low = std::bit_cast<float>((half + 127) << 23), high = std::bit_cast<float>((i - half + 127) << 23);
  return p * low * high;
#endif
}
ACE_HD double exp(double x) { return ::exp(x); }

ACE_HD float log(float x) { return ::logf(x); }
ACE_HD double log(double x) { return ::log(x); }
ACE_HD float sqrt(float x) { return ::sqrtf(x); }
ACE_HD double sqrt(double x) { return ::sqrt(x); }

/// 1 / (1 + e^−x); the exponent is never positive, so nothing overflows.
template <class T>
ACE_HD T sigmoid(T x) {
  const T e = kernels::exp(x < T(0) ? x : -x);  // ≤ 1
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

/// tanh x. Near 0, where 1 − e^−2|x| would cancel, the odd series to x⁹.
ACE_HD float tanh(float x) {
#ifdef __CUDA_ARCH__
  return ::tanhf(x);
#else
  const float a = x < 0 ? -x : x;
  const float e = kernels::exp(-2.0f * a), large = (1.0f - e) / (1.0f + e);
  const float s = x * x;
  float p = -5.70498872745e-3f;
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  const float small = p * s * x + x;
  return a < 0.625f ? small : (x < 0 ? -large : large);
#endif
}
ACE_HD double tanh(double x) { return ::tanh(x); }

/// e^x − 1 for x ≤ 0 (what ELU needs), accurate near 0: tanh(x/2) (e^x + 1).
template <class T>
ACE_HD T expm1(T x) {
  return kernels::tanh(x * T(0.5)) * (kernels::exp(x) + T(1));
}

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

}  // namespace kernels
