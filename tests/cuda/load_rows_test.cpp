#include "kernels/load_rows.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class LoadRowsOnDevice : public testing::Test {};
TYPED_TEST_SUITE(LoadRowsOnDevice, DeviceNumbers);

TYPED_TEST(LoadRowsOnDevice, AreTheCpus) {
  using T = TypeParam;
  const int64_t n = 3;
  for (const int64_t d : {1, 33, 1031}) {
    const auto x = draw<T>(5 * d, 1);
    const auto centroids = draw<float>(2 * d, 2);
    const std::vector<int32_t> labels = {0, 1, 0, 1, 1};
    const std::vector<int64_t> rows = {4, 0, 3};
    const Device<T> device_x(x);
    const Device<float> device_centroids(centroids);
    const Device<int32_t> device_labels(labels);
    const Device<int64_t> device_rows(rows), wrong(1);
    for (const bool unit : {false, true}) {
      for (const bool residual : {false, true}) {
        for (const bool all : {false, true}) {
          RowForm form{unit}, device_form{unit};
          if (residual) form = {unit, centroids.data(), labels.data()};
          if (residual) device_form = {unit, device_centroids, device_labels};
          std::vector<float> expected(size_t(n * d));
          ASSERT_EQ(load_rows(Cpu(), x.data(), all ? nullptr : rows.data(), form, expected.data(), n, d), -1);
          const Device<float> y(n * d);
          load_rows(Cuda(), device_x.data(), all ? nullptr : device_rows.data(), device_form, y.data(), n, d,
                    wrong.data());
          EXPECT_LE(relative_error(y.values(), as<double>(expected)), 1e-6) << d << unit << residual << all;
          EXPECT_EQ(wrong.values()[0], -1);
        }
      }
    }
  }
}

TYPED_TEST(LoadRowsOnDevice, TellTheFirstWrongRow) {
  using T = TypeParam;
  const int64_t n = 9, d = 40;
  auto x = draw<T>(n * d, 1);
  const Device<float> y(n * d);
  const Device<int64_t> wrong(1);
  const auto first = [&](bool unit) {
    const Device<T> device_x(x);
    load_rows(Cuda(), device_x.data(), nullptr, {unit}, y.data(), n, d, wrong.data());
    return wrong.values()[0];
  };
  std::fill_n(x.begin() + 7 * d, d, T(0));
  EXPECT_EQ(first(false), -1);
  EXPECT_EQ(first(true), 7);
  x[size_t(5 * d + 39)] = T(std::numeric_limits<float>::infinity());
  x[size_t(6 * d)] = T(std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(first(false), 5);
  EXPECT_EQ(first(true), 5);
}

}  // namespace
}  // namespace kernels
