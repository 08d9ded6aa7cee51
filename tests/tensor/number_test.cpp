#include "kernels/number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

using kernels::bf16;
using kernels::f16;

namespace {

template <class T>
T from_bits(uint32_t bits) {
  T x;
  x.bits = uint16_t(bits);
  return x;
}

/// The value of a 16-bit float by the definition: ±fraction · 2^exponent.
double value_of(uint16_t bits, int fraction_bits, int bias) {
  const int exponent = (bits & 0x7fff) >> fraction_bits, fraction = bits & ((1 << fraction_bits) - 1);
  const int largest = (0x7fff >> fraction_bits);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == largest) return fraction ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

/// Nearest of the format's numbers, ties to even, by scaling and the C library's rounding; ±∞ past the largest.
double rounded(double x, int fraction_bits, int bias, double largest) {
  if (std::isnan(x) || std::isinf(x) || x == 0) return x;
  const int exponent = std::max(std::ilogb(x), 1 - bias);
  const double step = std::ldexp(1.0, exponent - fraction_bits);
  const double result = std::nearbyint(x / step) * step;  // the default rounding mode is nearest even
  return std::abs(result) > largest ? std::copysign(HUGE_VAL, x) : result;
}

bool same(double a, double b) { return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b); }

constexpr double largest_f16 = 65504, largest_bf16 = 3.3895313892515355e38;

void expect_rounds(float x) {
  EXPECT_TRUE(same(float(f16(x)), rounded(x, 10, 15, largest_f16))) << "f16 of " << x;
  EXPECT_TRUE(same(float(bf16(x)), rounded(x, 7, 127, largest_bf16))) << "bf16 of " << x;
}

}  // namespace

TEST(Number, EveryF16MeansWhatTheStandardSays) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    ASSERT_TRUE(same(float(from_bits<f16>(bits)), value_of(uint16_t(bits), 10, 15))) << bits;
  }
}

TEST(Number, EveryBf16MeansWhatTheStandardSays) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    ASSERT_TRUE(same(float(from_bits<bf16>(bits)), value_of(uint16_t(bits), 7, 127))) << bits;
  }
}

TEST(Number, EverySixteenBitNumberSurvivesTheWayThroughF32) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float half = from_bits<f16>(bits), brain = from_bits<bf16>(bits);
    if (std::isnan(half))
      ASSERT_TRUE(std::isnan(float(f16(half))));
    else
      ASSERT_EQ(f16(half).bits, bits);
    if (std::isnan(brain))
      ASSERT_TRUE(std::isnan(float(bf16(brain))));
    else
      ASSERT_EQ(bf16(brain).bits, bits);
  }
}

TEST(Number, HalfwayBetweenNeighboursGoesToEvenAndTheNextFloatDecides) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = from_bits<f16>(bits), high = from_bits<f16>(bits + 1), middle = (low + high) / 2;
    ASSERT_EQ(f16(middle).bits, bits + (bits & 1)) << bits;
    ASSERT_EQ(f16(std::nextafter(middle, 0.0f)).bits, bits);
    ASSERT_EQ(f16(std::nextafter(middle, 1e9f)).bits, bits + 1);
    ASSERT_EQ(f16(-middle).bits, 0x8000 + bits + (bits & 1));
  }
  for (uint32_t bits = 0; bits < 0x7f7f; ++bits) {
    const float low = from_bits<bf16>(bits), high = from_bits<bf16>(bits + 1), middle = low + (high - low) / 2;
    ASSERT_EQ(bf16(middle).bits, bits + (bits & 1)) << bits;
    ASSERT_EQ(bf16(std::nextafter(middle, 0.0f)).bits, bits);
    ASSERT_EQ(bf16(std::nextafter(middle, HUGE_VALF)).bits, bits + 1);
  }
}

TEST(Number, RandomFloatsOfEverySizeRoundToTheNearest) {
  std::mt19937 random(1);
  for (int i = 0; i < 1'000'000; ++i) expect_rounds(std::bit_cast<float>(uint32_t(random())));
  std::uniform_real_distribution<float> exponent(-26, 17);
  for (int i = 0; i < 1'000'000; ++i) expect_rounds(std::exp2(exponent(random)) * (i % 2 ? 1.0f : -1.0f));
}

TEST(Number, OverflowSubnormalsZerosAndNaN) {
  using Limits = std::numeric_limits<float>;
  for (const float x : {0.0f, -0.0f, 65504.0f, 65519.996f, 65520.0f, 65536.0f, -65520.0f, 6.1035156e-5f, 6.0975552e-5f,
                        5.9604645e-8f, 2.9802322e-8f, 2.9802326e-8f, 1e-30f, Limits::denorm_min(), Limits::min(),
                        Limits::max(), Limits::lowest(), Limits::infinity(), -Limits::infinity()}) {
    expect_rounds(x);
  }
  for (const uint32_t bits : {0x7f800001u, 0x7fc00000u, 0xff800001u, 0x7fffffffu, 0xffffffffu}) {
    const float nan = std::bit_cast<float>(bits);  // a payload in the low bits only must not become an infinity
    EXPECT_TRUE(std::isnan(float(f16(nan))));
    EXPECT_TRUE(std::isnan(float(bf16(nan))));
  }
}
