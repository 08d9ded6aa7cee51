#include "kernels/reduce.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class ReduceOnDevice : public testing::Test {};
TYPED_TEST_SUITE(ReduceOnDevice, DeviceNumbers);

/// The CPU twin in f64 on the same numbers is the reference.
TYPED_TEST(ReduceOnDevice, SumIsTheCpus) {
  using T = TypeParam;
  struct Sizes {
    int64_t outer, count, inner;
  };
  // One column, few, more than a warp's; none to add up; columns in one piece, and in several.
  for (const auto [outer, count, inner] : {Sizes{1, 1, 1}, Sizes{3, 0, 2}, Sizes{1, 131, 1}, Sizes{3, 7, 5},
                                           Sizes{2, 33, 40}, Sizes{1, 9001, 1}, Sizes{2, 300, 33}}) {
    SCOPED_TRACE(testing::Message() << outer << " × " << count << " × " << inner);
    const auto x = draw<T>(outer * count * inner, 1, -1, 2);
    const auto wide = as<double>(x);
    std::vector<double> y(static_cast<size_t>(outer * inner));
    sum(Cpu(), wide.data(), y.data(), outer, count, inner, 0.25);
    const Device<T> device_x(x);
    const auto run = [&, outer = outer, count = count, inner = inner] {
      const Device<T> found(outer * inner);
      sum<T>(Cuda(), device_x, found, outer, count, inner, Accumulator<T>(0.25));
      return found.values();
    };
    EXPECT_LE(relative_error(run(), y), device_tolerance<T>);
    expect_same_again(run);
  }
}

TYPED_TEST(ReduceOnDevice, SumOfRowsIsTheCpus) {
  using T = TypeParam;
  using A = Accumulator<T>;
  for (const int64_t rows : {0, 1, 7, 60, 300}) {
    for (const int64_t cols : {1, 5, 33}) {
      SCOPED_TRACE(testing::Message() << rows << " × " << cols);
      const int64_t stride = cols + 3;
      const auto x = draw<T>(rows * stride, 1, -1, 2);
      const auto wide = as<double>(x);
      std::vector<double> y(static_cast<size_t>(cols));
      sum_rows(Cpu(), wide.data(), stride, Grad<double>{y.data()}, rows, cols);
      const Device<T> device_x(x);
      expect_device_gradient<A>(y, [&](Grad<A> g) { sum_rows<T>(Cuda(), device_x, stride, g, rows, cols); });
    }
  }
}

TYPED_TEST(ReduceOnDevice, ShowsNaNInItsColumnAlone) {
  using T = TypeParam;
  auto x = draw<T>(300 * 3, 1);
  x[size_t(299 * 3 + 1)] = T(std::numeric_limits<float>::quiet_NaN());
  const Device<T> device_x(x), y(3);
  sum<T>(Cuda(), device_x, y, 1, 300, 3, Accumulator<T>(1));
  const auto values = y.values();
  for (size_t c = 0; c < 3; ++c) EXPECT_EQ(std::isnan(double(values[c])), c == 1);
}

}  // namespace
}  // namespace kernels
