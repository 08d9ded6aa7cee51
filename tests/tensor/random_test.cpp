#include "tensor/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "kernels/philox.h"
#include "tensor/error.h"

namespace tensor {
namespace {

std::array<uint32_t, 4> words(kernels::Philox4 x) { return {x.v[0], x.v[1], x.v[2], x.v[3]}; }

TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(words(kernels::philox(0, 0, 0)), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(words(kernels::philox(~0ull, ~0ull, ~0ull)), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(words(kernels::philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e)),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformNumbersStayBelowOne) {
  EXPECT_EQ(kernels::uniform_from(0), 0.0f);
  EXPECT_LT(kernels::uniform_from(~0u), 1.0f);
  EXPECT_EQ(kernels::uniform_from(0x80000000u), 0.5f);
}

TEST(Random, IsAFunctionOfSeedStreamAndPosition) {
  Random first(7, 3);
  for (int i = 0; i < 13; ++i) first.uint32();
  Random resumed(first.seed(), first.stream(), first.position());
  EXPECT_EQ(first, resumed);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(first.uint64(), resumed.uint64());
  std::set<uint64_t> different;
  for (uint64_t seed : {0, 1, 2}) {
    for (uint64_t stream : {0, 1, 2}) different.insert(Random(seed, stream).uint64());
  }
  EXPECT_EQ(different.size(), 9u);
}

TEST(Random, DrawsThePhiloxSequence) {
  Random random(0);
  EXPECT_EQ(random.uint32(), 0x6627e8d5u);
  EXPECT_EQ(random.uint32(), 0xe169c58du);
  EXPECT_EQ(random.uint64(), 0x9b00dbd8bc57ac4cull);
  EXPECT_EQ(random.uint32(), kernels::philox(0, 1, 0).v[0]);
}

TEST(Random, UniformNumbersFillTheUnitInterval) {
  Random random(1);
  double sum = 0, low = 1, high = 0;
  const int n = 20000;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u, low = std::min(low, u), high = std::max(high, u);
  }
  EXPECT_NEAR(sum / n, 0.5, 4 * std::sqrt(1.0 / 12 / n));
  EXPECT_LT(low, 1e-3);
  EXPECT_GT(high, 1 - 1e-3);
}

TEST(Random, EveryNumberBelowNIsEquallyLikely) {
  Random random(2);
  for (int64_t n : {1, 2, 3, 7, 10}) {
    std::vector<int> counts(static_cast<size_t>(n));
    const int draws = 7000;
    for (int i = 0; i < draws; ++i) {
      const int64_t value = random.below(n);
      ASSERT_TRUE(value >= 0 && value < n);
      ++counts[size_t(value)];
    }
    double chi_square = 0;
    for (int count : counts) chi_square += std::pow(count - double(draws) / double(n), 2) * double(n) / draws;
    EXPECT_LT(chi_square, 30);  // at most 9 degrees of freedom: probability 4e-4
  }
}

TEST(Random, LargeRangesAreNotBiased) {
  // Of the numbers below 3 · 2^61, a draw modulo n would find the lower 2^61 twice as likely as the others.
  Random random(3);
  const int64_t n = int64_t(3) << 61;
  int lower = 0;
  for (int i = 0; i < 9000; ++i) lower += random.below(n) < int64_t(1) << 61;
  EXPECT_NEAR(lower, 3000, 4 * std::sqrt(9000 * 2.0 / 9));
}

TEST(Random, AnEmptyRangeIsRefused) {
  Random random(0);
  EXPECT_THROW(random.below(0), Error);
  EXPECT_THROW(random.below(-1), Error);
}

TEST(Random, NormalNumbersHaveTheMomentsOfTheNormalDistribution) {
  Random random(4);
  const int n = 40000;
  double sum = 0, squares = 0, fourth = 0;
  int within = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x, squares += x * x, fourth += x * x * x * x, within += std::abs(x) < 1;
  }
  EXPECT_NEAR(sum / n, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 4 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth / n, 3, 4 * std::sqrt(96.0 / n));
  EXPECT_NEAR(double(within) / n, 0.682689, 4 * std::sqrt(0.2166 / n));
}

TEST(Random, NormalNumbersAreBoxMullersOfTheTwoUniforms) {
  Random random(5), copy = random;
  for (int i = 0; i < 1000; ++i) {
    const double u = copy.uniform(), v = copy.uniform();
    EXPECT_NEAR(random.normal(), std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * M_PI * v), 1e-13);
  }
}

TEST(Random, APermutationHoldsEveryNumberOnceInAnyOrder) {
  Random random(6);
  std::set<std::vector<int64_t>> seen;
  for (int i = 0; i < 200; ++i) {
    std::vector<int64_t> order = random.permutation(4);
    seen.insert(order);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3}));
  }
  EXPECT_EQ(seen.size(), 24u);
  EXPECT_TRUE(random.permutation(0).empty());
}

}  // namespace
}  // namespace tensor
