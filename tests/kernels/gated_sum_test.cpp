#include "kernels/gated_sum.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class GatedSumOf : public testing::Test {};
TYPED_TEST_SUITE(GatedSumOf, Numbers);

constexpr int64_t count = 3;

template <class T>
struct Inputs {
  std::vector<T> c, dy;
  std::vector<std::vector<T>> a, parts;
  std::vector<const T*> a_at, parts_at;
  explicit Inputs(int64_t n) : c(draw<T>(n, 1)), dy(draw<T>(n, 2)) {
    for (uint64_t k = 0; k < count; ++k) a.push_back(draw<T>(n, 10 + k, -4, 4)), parts.push_back(draw<T>(n, 20 + k));
    for (int64_t k = 0; k < count; ++k)
      a_at.push_back(a[size_t(k)].data()), parts_at.push_back(parts[size_t(k)].data());
  }
};

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

TYPED_TEST(GatedSumOf, IsItsFormulas) {
  using T = TypeParam;
  for (const Activation gate : {Activation::silu, Activation::sigmoid}) {
    for (const int64_t n : lengths) {
      SCOPED_TRACE(testing::Message() << n << " elements");
      const Inputs<T> x(n);
      const T share = T(0.25);
      std::vector<double> y, dc;
      std::vector<std::vector<double>> da(count), dparts(count);
      for (size_t i = 0; i < size_t(n); ++i) {
        const double c = double(x.c[i]), s = sigmoid_of(c), d = double(x.dy[i]);
        y.push_back(0.25 * (gate == Activation::silu ? c * s : s));
        dc.push_back(0.25 * d * (gate == Activation::silu ? s + c * s * (1 - s) : s * (1 - s)));
        for (size_t k = 0; k < count; ++k) {
          const double alpha = sigmoid_of(double(x.a[k][i])), part = double(x.parts[k][i]);
          y.back() += alpha * part;
          da[k].push_back(part * alpha * (1 - alpha) * d), dparts[k].push_back(alpha * d);
        }
      }
      Output<T> found(n);
      gated_sum(Cpu(), gate, share, x.c.data(), x.a_at.data(), x.parts_at.data(), count, found.data(), n);
      EXPECT_LE(relative_error(found.values(), y), tolerance<T>);
      // Each gradient alone, then all of them at once.
      const auto backward = [&](Grad<T> c, const std::vector<Grad<T>>& a, const std::vector<Grad<T>>& parts) {
        gated_sum_backward(Cpu(), gate, share, x.c.data(), x.a_at.data(), x.parts_at.data(), count, x.dy.data(), c,
                           a.data(), parts.data(), n);
      };
      const std::vector<Grad<T>> none(count);
      expect_gradient<T>(dc, [&](Grad<T> g) { backward(g, none, none); });
      Output<T> c(n), a0(n), a1(n), a2(n), p0(n), p1(n), p2(n);
      for (size_t k = 0; k < count; ++k) {
        const auto only = [&](Grad<T> g) {
          std::vector<Grad<T>> one(count);
          one[k] = g;
          return one;
        };
        expect_gradient<T>(da[k], [&](Grad<T> g) { backward({}, only(g), none); });
        expect_gradient<T>(dparts[k], [&](Grad<T> g) { backward({}, none, only(g)); });
      }
      backward(Grad<T>{c.data()}, {Grad<T>{a0.data()}, Grad<T>{a1.data()}, Grad<T>{a2.data()}},
               {Grad<T>{p0.data()}, Grad<T>{p1.data()}, Grad<T>{p2.data()}});
      EXPECT_LE(relative_error(c.values(), dc), tolerance<T>);
      for (size_t k = 0; k < count; ++k) {
        EXPECT_LE(relative_error((k == 0 ? a0 : k == 1 ? a1 : a2).values(), da[k]), tolerance<T>);
        EXPECT_LE(relative_error((k == 0 ? p0 : k == 1 ? p1 : p2).values(), dparts[k]), tolerance<T>);
      }
    }
  }
}

TYPED_TEST(GatedSumOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t n = 40009;
  const Inputs<T> x(n);
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t((2 + 2 * count) * n));
    std::vector<Grad<T>> into;
    for (int64_t i = 0; i < 1 + 2 * count; ++i) into.push_back(Grad<T>{all.data() + (1 + i) * n});
    gated_sum(Cpu(), Activation::silu, T(0.25), x.c.data(), x.a_at.data(), x.parts_at.data(), count, all.data(), n);
    gated_sum_backward(Cpu(), Activation::silu, T(0.25), x.c.data(), x.a_at.data(), x.parts_at.data(), count,
                       x.dy.data(), into[0], into.data() + 1, into.data() + 1 + count, n);
    return all;
  });
}

}  // namespace
}  // namespace kernels
