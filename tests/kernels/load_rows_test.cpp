#include "kernels/load_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace kernels {
namespace {

/// Numbers that every type holds exactly.
template <class T>
std::vector<T> whole_numbers(int64_t n) {
  std::vector<T> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(T(float((i * 7 + 3) % 31 - 12)));
  return values;
}

template <class T>
class LoadRows : public testing::Test {};
using Stored = testing::Types<float, double, f16, bf16>;
TYPED_TEST_SUITE(LoadRows, Stored);

TYPED_TEST(LoadRows, AreTheFormulaInEachForm) {
  const int64_t n = 5, d = 37;
  const auto x = whole_numbers<TypeParam>(n * d);
  const auto centroids = whole_numbers<float>(2 * d);
  const std::vector<int32_t> labels{0, 1, 1, 0, 1};
  const std::vector<int64_t> rows{4, 0, 4};
  for (const bool unit : {false, true}) {
    for (const bool less : {false, true}) {
      RowForm form{unit, nullptr, nullptr};
      if (less) form.centroids = centroids.data(), form.labels = labels.data();
      std::vector<float> y(3 * d + 1, 77);
      ASSERT_EQ(load_rows(Cpu(), x.data(), rows.data(), form, y.data(), 3, d), -1);
      EXPECT_EQ(y.back(), 77);
      for (size_t i = 0; i < 3; ++i) {
        double square = 0;
        const auto at = [&](int64_t c) { return double(float(x[size_t(rows[i] * d + c)])); };
        for (int64_t c = 0; c < d; ++c) square += at(c) * at(c);
        for (int64_t c = 0; c < d; ++c) {
          const double centre = less ? double(centroids[size_t(labels[size_t(rows[i])] * d + c)]) : 0;
          const double expected = at(c) / (unit ? std::sqrt(square) : 1) - centre;
          EXPECT_NEAR(y[i * size_t(d) + size_t(c)], expected, unit ? 1e-6 : 0) << i << " " << c;
        }
      }
    }
  }
}

TYPED_TEST(LoadRows, NameTheFirstThatIsNotFiniteOrHasNoDirection) {
  const int64_t n = 6, d = 9;
  auto x = whole_numbers<TypeParam>(n * d);
  std::vector<float> y(size_t(n * d));
  const auto first = [&](bool unit) { return load_rows(Cpu(), x.data(), nullptr, {unit}, y.data(), n, d); };
  EXPECT_EQ(first(true), -1);
  for (int64_t c = 0; c < d; ++c) x[size_t(4 * d + c)] = TypeParam(0.0f);
  EXPECT_EQ(first(true), 4);
  EXPECT_EQ(first(false), -1);
  x[size_t(5 * d + 8)] = TypeParam(std::numeric_limits<float>::infinity());
  EXPECT_EQ(first(false), 5);
  x[size_t(3 * d)] = TypeParam(std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(first(false), 3);
  EXPECT_EQ(first(true), 3);
}

}  // namespace
}  // namespace kernels
