#include "kernels/copy.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class CopyOnDevice : public testing::Test {};
TYPED_TEST_SUITE(CopyOnDevice, DeviceNumbers);

TYPED_TEST(CopyOnDevice, CopiesAndAdds) {
  using T = TypeParam;
  for (const int64_t n : device_lengths) {
    const auto x = draw<T>(n, 1);
    const Device<T> device_x(x);
    expect_device_gradient<T>(as<double>(x), [&](Grad<T> y) { copy(Cuda(), device_x.data(), y, n); });
  }
}

/// To 16 bits as the host's own conversions round, infinity too, and back. Of NaN a card has another one than the host.
template <class T>
void expect_conversions() {
  for (const int64_t n : device_lengths) {
    for (const int64_t skipped : {0, 1}) {
      auto x = draw<float>(n, 1);
      x[0] = std::numeric_limits<float>::quiet_NaN(), x[size_t(n / 2)] = 1e30f;
      const Device<float> from(x, skipped), back(n);
      const Device<T> to(n, skipped);
      convert(Cuda(), from.data(), to.data(), n);
      convert(Cuda(), to.data(), back.data(), n);
      const auto found = to.values();
      const auto wide = back.values();
      for (size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(x[i])) {
          EXPECT_TRUE(std::isnan(float(found[i])) && std::isnan(wide[i])) << i;
          continue;
        }
        EXPECT_EQ(found[i].bits, T(x[i]).bits) << x[i];
        EXPECT_EQ(std::bit_cast<uint32_t>(wide[i]), std::bit_cast<uint32_t>(float(found[i]))) << x[i];
      }
    }
  }
}
TEST(ConvertOnDevice, RoundsAsTheHost) {
  expect_conversions<f16>();
  expect_conversions<bf16>();
}

/// Between the rows of a block nothing is read or written.
TYPED_TEST(CopyOnDevice, MovesBlocks) {
  using T = TypeParam;
  struct Case {
    int64_t rows, cols, x_stride, y_stride;
  };
  for (const auto [rows, cols, x_stride, y_stride] :
       {Case{1, 1, 1, 1}, Case{5, 7, 9, 11}, Case{6, 16, 24, 40}, Case{9, 40, 40, 40}, Case{3, 300, 304, 301}}) {
    SCOPED_TRACE(testing::Message() << rows << " × " << cols << ", " << x_stride << " to " << y_stride);
    const auto x = draw<T>((rows - 1) * x_stride + cols, 1), before = draw<T>((rows - 1) * y_stride + cols, 2);
    for (const bool add : {false, true}) {
      auto expected = as<double>(before);
      copy_block(Cpu(), as<double>(x).data(), x_stride, Grad<double>{expected.data(), add}, y_stride, rows, cols);
      const Device<T> device_x(x), y(before);
      copy_block(Cuda(), device_x.data(), x_stride, Grad<T>{y.data(), add}, y_stride, rows, cols);
      EXPECT_LE(relative_error(y.values(), expected), device_tolerance<T>);
    }
  }
}

TYPED_TEST(CopyOnDevice, Transposes) {
  using T = TypeParam;
  struct Case {
    int64_t batch, m, n;
  };
  for (const auto [batch, m, n] : {Case{1, 1, 1}, Case{2, 7, 5}, Case{1, 32, 32}, Case{3, 33, 65}, Case{2, 1, 70}}) {
    const auto x = draw<T>(batch * m * n, 1);
    const Device<T> device_x(x);
    std::vector<double> y(x.size());
    transpose(Cpu(), as<double>(x).data(), Grad<double>{y.data()}, batch, m, n);
    expect_device_gradient<T>(
        y, [&, batch = batch, m = m, n = n](Grad<T> g) { transpose(Cuda(), device_x.data(), g, batch, m, n); });
  }
}

TYPED_TEST(CopyOnDevice, Repeats) {
  using T = TypeParam;
  struct Case {
    int64_t outer, count, inner;
  };
  for (const auto [outer, count, inner] :
       {Case{1, 1, 1}, Case{1, 300, 1}, Case{5, 16, 1}, Case{5, 7, 1}, Case{3, 4, 40}, Case{2, 3, 33}}) {
    const auto x = draw<T>(outer * inner, 1);
    const Device<T> device_x(x);
    std::vector<double> y(size_t(outer * count * inner));
    repeat(Cpu(), as<double>(x).data(), Grad<double>{y.data()}, outer, count, inner, 0.75);
    expect_device_gradient<T>(y, [&, outer = outer, count = count, inner = inner](Grad<T> g) {
      repeat(Cuda(), device_x.data(), g, outer, count, inner, Accumulator<T>(0.75));
    });
  }
}

}  // namespace
}  // namespace kernels
