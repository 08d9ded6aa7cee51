#include "tests/cuda/arrays.h"
#include "tests/kernels/shapes.h"

namespace kernels {
namespace {

constexpr Arithmetic all[] = {Arithmetic::add, Arithmetic::sub, Arithmetic::mul, Arithmetic::div};

const std::vector<Shapes> shapes = {
    {{1}, {1}},
    {{523}, {523}},                            // packs and what is left
    {{40, 72}, {1, 72}},                       // a row against a matrix, in packs
    {{1, 35}, {151, 35}},                      // and the other way round, past a slice, and a shorter one
    {{9, 40}, {9, 1}},                         // a column
    {{30, 1}, {1, 5}},                         // both stretched
    {{9001}, {1}},                             // a scalar: slices of a long sum
    {{1, 1}, {3, 17}},                         //
    {{5, 1, 33}, {5, 11, 33}},                 // in the middle
    {{3, 1, 5, 1}, {1, 4, 1, 6}},              // every second
    {{2, 3, 1, 2, 1, 4}, {2, 1, 2, 2, 3, 1}},  // rank 6
    {{1, 6, 1}, {4, 6, 3}},                    // sums around what stays
    {{2, 1}, {2, 1100}},                       // a sum for a block
    {{0, 3}, {1, 3}},                          // nothing at all
};

template <class T>
class ArithmeticOnDevice : public testing::Test {};
TYPED_TEST_SUITE(ArithmeticOnDevice, DeviceNumbers);

TYPED_TEST(ArithmeticOnDevice, IsTheCpus) {
  using T = TypeParam;
  const Cuda cuda;
  for (const Shapes& shape : shapes) {
    const Broadcast s = broadcast(shape);
    const int64_t na = product(shape.a), nb = product(shape.b), n = elements(s);
    const auto a = draw<T>(na, 1), b = draw<T>(nb, 2, 0.5, 2), dy = draw<T>(n, 3);
    const auto wide_a = as<double>(a), wide_b = as<double>(b), wide_dy = as<double>(dy);
    const Device<T> device_a(a), device_b(b), device_dy(dy), found(n);
    for (const Arithmetic which : all) {
      SCOPED_TRACE(testing::Message() << "op " << int(which) << ", a " << testing::PrintToString(shape.a) << ", b "
                                      << testing::PrintToString(shape.b));
      std::vector<double> y(static_cast<size_t>(n)), da(static_cast<size_t>(na)), db(static_cast<size_t>(nb));
      arithmetic(Cpu(), which, s, wide_a.data(), wide_b.data(), y.data());
      arithmetic_backward_a(Cpu(), which, s, wide_a.data(), wide_b.data(), wide_dy.data(), Grad<double>{da.data()});
      arithmetic_backward_b(Cpu(), which, s, wide_a.data(), wide_b.data(), wide_dy.data(), Grad<double>{db.data()});
      arithmetic(cuda, which, s, device_a.data(), device_b.data(), found.data());
      EXPECT_LE(relative_error(found.values(), y), device_tolerance<T>);
      const double limit = 5 * device_tolerance<T>;  // sums of numbers of both signs
      expect_device_gradient<T>(
          da,
          [&](Grad<T> g) {
            arithmetic_backward_a(cuda, which, s, device_a.data(), device_b.data(), device_dy.data(), g);
          },
          limit);
      expect_device_gradient<T>(
          db,
          [&](Grad<T> g) {
            arithmetic_backward_b(cuda, which, s, device_a.data(), device_b.data(), device_dy.data(), g);
          },
          limit);
    }
  }
}

TYPED_TEST(ArithmeticOnDevice, DoesNotReadOperandsThatTheDerivativeDoesNotNeed) {
  using T = TypeParam;
  const Broadcast s = broadcast({{3, 1}, {3, 40}});
  const Device<T> a(draw<T>(3, 1)), b(draw<T>(120, 2, 0.5, 2)), dy(draw<T>(120, 3)), with(120), without(120);
  const T* const none = nullptr;
  const auto expect_same = [&] { EXPECT_EQ(relative_error(without.values(), as<double>(with.values())), 0); };
  arithmetic_backward_b(Cuda(), Arithmetic::sub, s, a.data(), b.data(), dy.data(), Grad<T>{with.data()});
  arithmetic_backward_b(Cuda(), Arithmetic::sub, s, none, none, dy.data(), Grad<T>{without.data()});
  expect_same();
  arithmetic_backward_a(Cuda(), Arithmetic::div, s, a.data(), b.data(), dy.data(), Grad<T>{with.data()});
  arithmetic_backward_a(Cuda(), Arithmetic::div, s, none, b.data(), dy.data(), Grad<T>{without.data()});
  expect_same();
}

TYPED_TEST(ArithmeticOnDevice, LongSumsAreTheSameAgain) {
  using T = TypeParam;
  for (const Shapes& shape : {Shapes{{150, 35}, {1, 35}}, Shapes{{9001}, {1}}}) {
    const Broadcast s = broadcast(shape);
    const int64_t n = elements(s), nb = product(shape.b);
    const Device<T> a(draw<T>(n, 1)), b(draw<T>(nb, 2)), dy(draw<T>(n, 3)), db(nb);
    expect_same_again([&] {
      arithmetic_backward_b(Cuda(), Arithmetic::mul, s, a.data(), b.data(), dy.data(), Grad<T>{db.data()});
      return db.values();
    });
  }
}

TYPED_TEST(ArithmeticOnDevice, ScaleMultipliesAndAdds) {
  using T = TypeParam;
  for (const int64_t n : device_lengths) {
    const auto x = draw<T>(n, 1);
    const Device<T> device_x(x);
    std::vector<double> expected;
    for (const T value : x) expected.push_back(-1.5 * double(value));
    expect_device_gradient<T>(expected, [&](Grad<T> y) { scale(Cuda(), Accumulator<T>(-1.5), device_x.data(), y, n); });
  }
}

}  // namespace
}  // namespace kernels
