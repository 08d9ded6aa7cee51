#include "tests/kernels/arrays.h"
#include "tests/kernels/shapes.h"

namespace kernels {
namespace {

constexpr Arithmetic all[] = {Arithmetic::add, Arithmetic::sub, Arithmetic::mul, Arithmetic::div};

double value_of(Arithmetic which, double a, double b) {
  switch (which) {
    case Arithmetic::add:
      return a + b;
    case Arithmetic::sub:
      return a - b;
    case Arithmetic::mul:
      return a * b;
    case Arithmetic::div:
      return a / b;
  }
  return 0;
}
double by_a(Arithmetic which, double, double b) {
  return which == Arithmetic::mul ? b : which == Arithmetic::div ? 1 / b : 1;
}
double by_b(Arithmetic which, double a, double b) {
  return which == Arithmetic::mul ? a : which == Arithmetic::div ? -a / (b * b) : which == Arithmetic::sub ? -1 : 1;
}

const std::vector<Shapes> shapes = {
    {{1}, {1}},
    {{4099}, {4099}},
    {{130, 257}, {1, 257}},                    // a row against a matrix
    {{1, 257}, {130, 257}},                    // and the other way round
    {{65, 129}, {65, 1}},                      // a column
    {{300, 1}, {1, 5}},                        // both stretched
    {{7001}, {1}},                             // a scalar
    {{1, 1}, {3, 17}},                         //
    {{5, 1, 67}, {5, 11, 67}},                 // in the middle
    {{5, 11, 67}, {5, 1, 67}},                 //
    {{3, 1, 5, 1}, {1, 4, 1, 6}},              // every second
    {{2, 3, 1, 2, 1, 4}, {2, 1, 2, 2, 3, 1}},  // rank 6
    {{2, 1, 3, 1, 2, 1}, {1, 5, 1, 2, 1, 3}},  //
    {{1, 6, 1}, {4, 6, 3}},                    // sums around what stays
    {{0, 3}, {1, 3}},                          // nothing at all
};

/// Calls f(a index, b index, y index) for every element of the result.
template <class F>
void walk(const Broadcast& s, const F& f) {
  for (int64_t y = 0; y < elements(s); ++y) {
    int64_t rest = y, a = 0, b = 0;
    for (int d = s.rank - 1; d >= 0; --d) {
      a += rest % s.size[d] * s.a_stride[d], b += rest % s.size[d] * s.b_stride[d];
      rest /= s.size[d];
    }
    f(size_t(a), size_t(b), size_t(y));
  }
}

template <class T>
class ArithmeticOf : public testing::Test {};
TYPED_TEST_SUITE(ArithmeticOf, Numbers);

TYPED_TEST(ArithmeticOf, BroadcastsAndSumsTheGradientsBack) {
  using T = TypeParam;
  for (const Shapes& shape : shapes) {
    const Broadcast s = broadcast(shape);
    const int64_t na = product(shape.a), nb = product(shape.b);
    int64_t n = 1;
    for (int d = 0; d < s.rank; ++d) n *= s.size[d];
    const auto a = draw<T>(na, 1), b = draw<T>(nb, 2, 0.5, 2), dy = draw<T>(n, 3);
    for (const Arithmetic which : all) {
      SCOPED_TRACE(testing::Message() << "op " << int(which) << ", a " << testing::PrintToString(shape.a) << ", b "
                                      << testing::PrintToString(shape.b));
      std::vector<double> y(static_cast<size_t>(n)), da(static_cast<size_t>(na)), db(static_cast<size_t>(nb));
      walk(s, [&](size_t i, size_t j, size_t k) {
        y[k] = value_of(which, double(a[i]), double(b[j]));
        da[i] += by_a(which, double(a[i]), double(b[j])) * double(dy[k]);
        db[j] += by_b(which, double(a[i]), double(b[j])) * double(dy[k]);
      });
      Output<T> found(n);
      arithmetic(Cpu(), which, s, a.data(), b.data(), found.data());
      EXPECT_LE(relative_error(found.values(), y), tolerance<T>);
      const double limit = 10 * tolerance<T>;  // sums of up to 8,000 numbers of both signs
      expect_gradient<T>(
          da, [&](Grad<T> g) { arithmetic_backward_a(Cpu(), which, s, a.data(), b.data(), dy.data(), g); }, limit);
      expect_gradient<T>(
          db, [&](Grad<T> g) { arithmetic_backward_b(Cpu(), which, s, a.data(), b.data(), dy.data(), g); }, limit);
    }
  }
}

TYPED_TEST(ArithmeticOf, DoesNotReadOperandsThatTheDerivativeDoesNotNeed) {
  using T = TypeParam;
  const Broadcast s = broadcast({{3, 1}, {3, 5}});
  const auto a = draw<T>(3, 1), b = draw<T>(15, 2), dy = draw<T>(15, 3);
  const T* const none = nullptr;
  std::vector<T> with(15), without(15);
  arithmetic_backward_b(Cpu(), Arithmetic::sub, s, a.data(), b.data(), dy.data(), Grad<T>{with.data()});
  arithmetic_backward_b(Cpu(), Arithmetic::sub, s, none, none, dy.data(), Grad<T>{without.data()});
  EXPECT_EQ(with, without);
  arithmetic_backward_a(Cpu(), Arithmetic::div, s, a.data(), b.data(), dy.data(), Grad<T>{with.data()});
  arithmetic_backward_a(Cpu(), Arithmetic::div, s, none, b.data(), dy.data(), Grad<T>{without.data()});
  EXPECT_EQ(with, without);
}

TYPED_TEST(ArithmeticOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  for (const Shapes& shape : {Shapes{{40007}, {40007}}, Shapes{{260, 301}, {1, 301}}, Shapes{{260, 301}, {260, 1}},
                              Shapes{{90001}, {1}}, Shapes{{9, 1, 301}, {9, 33, 301}}}) {
    const Broadcast s = broadcast(shape);
    const int64_t na = product(shape.a), nb = product(shape.b), n = std::max(na, nb);
    const auto a = draw<T>(na, 1), b = draw<T>(nb, 2, 0.5, 2), dy = draw<T>(n, 3);
    for (const Arithmetic which : all) {
      expect_same_for_any_threads([&] {
        std::vector<T> all_results(size_t(n + na + nb));
        T* const y = all_results.data();
        arithmetic(Cpu(), which, s, a.data(), b.data(), y);
        arithmetic_backward_a(Cpu(), which, s, a.data(), b.data(), dy.data(), Grad<T>{y + n});
        arithmetic_backward_b(Cpu(), which, s, a.data(), b.data(), dy.data(), Grad<T>{y + n + na});
        return all_results;
      });
    }
  }
}

TYPED_TEST(ArithmeticOf, ScaleMultipliesAndAdds) {
  using T = TypeParam;
  for (const int64_t n : lengths) {
    const auto x = draw<T>(n, 1);
    std::vector<double> expected;
    for (const T value : x) expected.push_back(-1.5 * double(value));
    expect_gradient<T>(expected, [&](Grad<T> y) { scale(Cpu(), T(-1.5), x.data(), y, n); });
  }
}

TEST(Collapse, MergesWhatBothOperandsWalkAlike) {
  const Broadcast same = collapse(broadcast({{4, 1, 5, 6}, {4, 1, 5, 6}}));
  EXPECT_EQ(same.rank, 1);
  EXPECT_EQ(same.size[0], 120);
  EXPECT_EQ(same.a_stride[0], 1);
  const Broadcast row = collapse(broadcast({{4, 5, 6}, {1, 1, 6}}));
  EXPECT_EQ(row.rank, 2);
  EXPECT_EQ(row.size[0], 20);
  EXPECT_EQ(row.b_stride[0], 0);
  const Broadcast one = collapse(broadcast({{1, 1}, {1, 1}}));
  EXPECT_EQ(one.rank, 1);
  EXPECT_EQ(one.size[0], 1);
}

}  // namespace
}  // namespace kernels
