#include "kernels/gemm.h"

#include <array>

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

/// The numbers of the operands and of the result.
template <class In, class Out>
struct Pair {
  using T = In;
  using C = Out;
};
using Pairs = testing::Types<Pair<float, float>, Pair<double, double>, Pair<f16, f16>, Pair<bf16, bf16>,
                             Pair<f16, float>, Pair<bf16, float>>;
template <class P>
class GemmOnDevice : public testing::Test {};
TYPED_TEST_SUITE(GemmOnDevice, Pairs);

/// How a product is laid out: sizes, transposes, and what lies between rows.
struct Layout {
  int64_t m, n, k;
  bool ta = false, tb = false;
  int64_t gap = 0, batch = 1;
  bool shared = false;  ///< one B for all of a batch
};
std::ostream& operator<<(std::ostream& out, const Layout& l) {
  return out << l.batch << " · " << l.m << " × " << l.k << " × " << l.n << (l.ta ? " Aᵀ" : "") << (l.tb ? " Bᵀ" : "")
             << " gap " << l.gap;
}

/// Operands on the device and, in the same rounded numbers, the result of the CPU twin in f64.
template <class T, class C>
class Case {
 public:
  using A = Accumulator<T>;
  explicit Case(Layout l)
      : l_(l),
        a_(draw<T>(l.batch * a_step(), 1)),
        b_(draw<T>((l.shared ? 1 : l.batch) * b_step(), 2)),
        bias_(draw<A>(l.n, 3)),
        before_(draw<C>(l.batch * c_step(), 4)),
        device_a_(a_),
        device_b_(b_),
        device_bias_(bias_) {}

  int64_t a_stride() const { return (l_.ta ? l_.m : l_.k) + l_.gap; }
  int64_t b_stride() const { return (l_.tb ? l_.k : l_.n) + l_.gap; }
  int64_t c_stride() const { return l_.n + l_.gap; }
  int64_t a_step() const { return (l_.ta ? l_.k : l_.m) * a_stride(); }
  int64_t b_step() const { return (l_.tb ? l_.n : l_.k) * b_stride(); }
  int64_t c_step() const { return l_.m * c_stride(); }
  Matrix<T> a() const { return {device_a_.data(), a_stride(), l_.ta}; }
  Matrix<T> b() const { return {device_b_.data(), b_stride(), l_.tb}; }

  /// What must stand in all of C afterwards. `bias` and f are those of the finish.
  std::vector<double> expected(double alpha, double beta, bool bias, std::optional<Activation> f) const {
    const auto a = as<double>(a_), b = as<double>(b_), bias_values = as<double>(bias_);
    auto c = as<double>(before_);
    for (int64_t p = 0; p < l_.batch; ++p) {
      gemm_plain(l_.m, l_.n, l_.k, alpha, Matrix<double>{a.data() + p * a_step(), a_stride(), l_.ta},
                 Matrix<double>{b.data() + (l_.shared ? 0 : p * b_step()), b_stride(), l_.tb}, beta,
                 c.data() + p * c_step(), c_stride(), Finish<double>{bias ? bias_values.data() : nullptr, f});
    }
    return c;
  }
  /// C after run(c), which found in it what expected() started from.
  template <class Run>
  std::vector<C> after(const Run& run) const {
    const Device<C> c(before_);
    run(c.data());
    return c.values();
  }
  std::vector<C> fast(A alpha, A beta, bool bias = false, std::optional<Activation> f = {}) const {
    return after([&](C* c) { gemm(Cuda(), l_.m, l_.n, l_.k, alpha, a(), b(), beta, c, c_stride(), finish(bias, f)); });
  }
  std::vector<C> plain(A alpha, A beta, bool bias = false, std::optional<Activation> f = {}) const {
    return after(
        [&](C* c) { gemm_plain(Cuda(), l_.m, l_.n, l_.k, alpha, a(), b(), beta, c, c_stride(), finish(bias, f)); });
  }
  std::vector<C> batched(A alpha, A beta) const {
    return after([&](C* c) {
      gemm_batched(Cuda(), l_.batch, l_.m, l_.n, l_.k, alpha, a(), a_step(), b(), l_.shared ? 0 : b_step(), beta, c,
                   c_stride(), c_step());
    });
  }
  Finish<A> finish(bool bias, std::optional<Activation> f) const { return {bias ? device_bias_.data() : nullptr, f}; }

 private:
  Layout l_;
  std::vector<T> a_, b_;
  std::vector<A> bias_;
  std::vector<C> before_;
  Device<T> device_a_, device_b_;
  Device<A> device_bias_;
};

TYPED_TEST(GemmOnDevice, IsTheCpusForEveryLayout) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  // One, odd, prime, past a tile of 64 × 64 and a slab of 16, multiples of what tensor cores read.
  for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1}, {2, 3, 5}, {16, 24, 8}, {67, 13, 17}, {5, 71, 35}}) {
    for (const int64_t gap : {0, 3, 8}) {
      for (const bool ta : {false, true}) {
        for (const bool tb : {false, true}) {
          const Layout layout{m, n, k, ta, tb, gap};
          SCOPED_TRACE(testing::Message() << layout);
          const Case<T, C> test(layout);
          const auto expected = test.expected(0.5, 2, false, {});
          EXPECT_LE(relative_error(test.fast(0.5, 2), expected), device_tolerance<C>);
          if (gap == 3) {
            EXPECT_LE(relative_error(test.plain(0.5, 2), expected), device_tolerance<C>);
          }
        }
      }
    }
  }
}

TYPED_TEST(GemmOnDevice, FinishesWithEveryActivation) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  using enum Activation;
  for (const int64_t n : {16, 37}) {
    const Case<T, C> test({9, n, 12, false, false, n == 37 ? 3 : 0});  // rows of 40, of which 37 are C's
    for (const bool bias : {false, true}) {
      for (const auto f : std::initializer_list<std::optional<Activation>>{{}, relu, elu, silu, sigmoid, tanh, gelu}) {
        SCOPED_TRACE(testing::Message() << n << " columns, bias " << bias << ", f " << (f ? int(*f) : -1));
        const auto expected = test.expected(0.5, 1, bias, f);
        // Rounded to C before the last step, the error there is that of its input: of a sum of terms around 10.
        EXPECT_LE(relative_error(test.fast(0.5, 1, bias, f), expected), 4 * device_tolerance<C>);
        if (bias) {
          EXPECT_LE(relative_error(test.plain(0.5, 1, bias, f), expected), 4 * device_tolerance<C>);
        }
      }
    }
  }
}

TYPED_TEST(GemmOnDevice, WithBetaZeroWhatCHeldDoesNotMatter) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  for (const int64_t n : {8, 11}) {
    const Layout layout{7, n, 16};
    const Case<T, C> test(layout);
    const auto expected = test.expected(1, 0, false, {});
    const auto run = [&](const auto& multiply) {
      const Device<C> c(layout.m * n);  // NaN
      multiply(c.data());
      EXPECT_LE(relative_error(c.values(), expected), device_tolerance<C>);
    };
    run([&](C* c) { gemm(Cuda(), 7, n, 16, 1, test.a(), test.b(), 0, c, n); });
    run([&](C* c) { gemm_plain(Cuda(), 7, n, 16, 1, test.a(), test.b(), 0, c, n); });
  }
}

TYPED_TEST(GemmOnDevice, WithoutInnerDimensionFinishesC) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  const Case<T, C> test({3, 5, 0});
  for (const double beta : {0.0, 0.5}) {
    const auto expected = test.expected(1, beta, true, Activation::relu);
    EXPECT_LE(relative_error(test.fast(1, beta, true, Activation::relu), expected), device_tolerance<C>);
  }
  const Case<T, C> none({0, 5, 3});
  EXPECT_TRUE(none.fast(1, 0).empty());
}

TYPED_TEST(GemmOnDevice, BatchesAreIndependentProductsAndMayShareAnOperand) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  for (const int64_t batch : {1, 3}) {
    for (const bool shared : {false, true}) {
      for (const int64_t k : {8, 11}) {
        const Layout layout{9, 20, k, false, true, k == 8 ? 4 : 1, batch, shared};
        SCOPED_TRACE(testing::Message() << layout);
        const Case<T, C> test(layout);
        EXPECT_LE(relative_error(test.batched(1, 1), test.expected(1, 1, false, {})), device_tolerance<C>);
      }
    }
  }
}

TYPED_TEST(GemmOnDevice, GivesTheSameBitsAgain) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  const Case<T, C> test({33, 40, 130});
  expect_same_again([&] { return test.fast(1, 1, true, Activation::relu); });
  expect_same_again([&] { return test.plain(1, 1, true, Activation::relu); });
}

/// Overflow and NaN must be seen by who looks at the result, through a relu too.
TYPED_TEST(GemmOnDevice, LetsNaNThroughInItsRowAlone) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  const int64_t m = 9, n = 16, k = 8;
  auto a = draw<T>(m * k, 1);
  const auto b = draw<T>(k * n, 2);
  a[size_t(3 * k + 1)] = T(std::numeric_limits<float>::quiet_NaN());
  const Device<T> device_a(a), device_b(b);
  for (const bool relu : {false, true}) {
    const Device<C> fast(m * n), plain(m * n);
    Finish<Accumulator<T>> finish;
    if (relu) finish.activation = Activation::relu;
    gemm(Cuda(), m, n, k, 1, Matrix<T>{device_a, k}, Matrix<T>{device_b, n}, 0, fast.data(), n, finish);
    gemm_plain(Cuda(), m, n, k, 1, Matrix<T>{device_a, k}, Matrix<T>{device_b, n}, 0, plain.data(), n, finish);
    const auto found = fast.values(), found_plain = plain.values();
    for (int64_t i = 0; i < m * n; ++i) {
      EXPECT_EQ(std::isnan(double(found[size_t(i)])), i / n == 3) << i;
      EXPECT_EQ(std::isnan(double(found_plain[size_t(i)])), i / n == 3) << i;
    }
  }
}

/// A batch of operands that start at odd addresses: what the library cannot read, our own kernel does.
TYPED_TEST(GemmOnDevice, TakesOperandsAtAnyAddress) {
  using T = typename TypeParam::T;
  using C = typename TypeParam::C;
  const int64_t m = 6, n = 8, k = 8;
  const auto a = draw<T>(m * k + 1, 1), b = draw<T>(k * n + 1, 2);
  const auto bias = draw<Accumulator<T>>(n + 1, 3);
  const auto wide_a = as<double>(a), wide_b = as<double>(b), wide_bias = as<double>(bias);
  std::vector<double> expected(size_t(m * n));
  gemm_plain(m, n, k, 1.0, Matrix<double>{wide_a.data() + 1, k}, Matrix<double>{wide_b.data() + 1, n}, 0.0,
             expected.data(), n, Finish<double>{wide_bias.data() + 1, {}});
  const Device<T> device_a(a), device_b(b);
  const Device<Accumulator<T>> device_bias(bias);
  const Device<C> c(m * n + 1);
  gemm(Cuda(), m, n, k, 1, Matrix<T>{device_a + 1, k}, Matrix<T>{device_b + 1, n}, 0, c.data() + 1, n,
       {device_bias + 1, {}});
  const auto found = c.values();
  EXPECT_LE(relative_error(std::vector<C>(found.begin() + 1, found.end()), expected), device_tolerance<C>);
  EXPECT_TRUE(std::isnan(double(found[0])));
}

/// f32 operands that a precision rounds: the result is that of the rounded operands with f32 sums, packed or not.
TEST(GemmInPrecision, RoundsTheOperandsAndNothingElse) {
  const auto rounded = [](Precision precision, const std::vector<float>& values) {
    std::vector<double> result;
    for (const float x : values) {
      result.push_back(precision == Precision::f16    ? double(float(f16(x)))
                       : precision == Precision::bf16 ? double(float(bf16(x)))
                                                      : double(x));
    }
    return result;
  };
  for (const auto precision : {Precision::full, Precision::f16, Precision::bf16}) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1}, {8, 24, 16}, {9, 37, 35}}) {
      for (const bool ta : {false, true}) {
        for (const bool tb : {false, true}) {
          const Layout layout{m, n, k, ta, tb};
          SCOPED_TRACE(testing::Message() << int(precision) << " " << layout);
          const int64_t a_stride = (ta ? m : k) + 1, b_stride = (tb ? k : n) + 4;
          const auto a = draw<float>((ta ? k : m) * a_stride, 1), b = draw<float>((tb ? n : k) * b_stride, 2);
          const auto bias = draw<float>(n, 3), before = draw<float>(m * n, 4);
          const auto wide_a = rounded(precision, a), wide_b = rounded(precision, b), wide_bias = as<double>(bias);
          auto expected = as<double>(before);
          gemm_plain(m, n, k, 0.5, Matrix<double>{wide_a.data(), a_stride, ta},
                     Matrix<double>{wide_b.data(), b_stride, tb}, 2.0, expected.data(), n,
                     Finish<double>{wide_bias.data(), Activation::relu});
          const Device<float> device_a(a), device_b(b), device_bias(bias), c(before), again(before);
          const Matrix<float> left{device_a, a_stride, ta}, right{device_b, b_stride, tb};
          const Finish<float> finish{device_bias, Activation::relu};
          gemm(Cuda(), m, n, k, 0.5f, left, right, 2.0f, c.data(), n, finish, precision);
          EXPECT_LE(relative_error(c.values(), expected), device_tolerance<float>);
          const Device<uint8_t> packed(gemm_packed_bytes(Cuda(), n, k, precision));
          gemm_pack(Cuda(), n, k, right, precision, packed.data());
          gemm_packed(Cuda(), m, n, k, 0.5f, left, packed.data(), 2.0f, again.data(), n, finish, precision);
          EXPECT_LE(relative_error(again.values(), expected), device_tolerance<float>);
        }
      }
    }
  }
}

TEST(GemmInPrecision, APackedWeightServesOperandsOf16Bits) {
  const int64_t m = 5, n = 19, k = 21;
  const auto a = draw<bf16>(m * k, 1);
  const auto b = draw<float>(n * k, 2);
  const auto wide_a = as<double>(a), wide_b = as<double>(as<bf16>(b));
  std::vector<double> expected(size_t(m * n));
  gemm_plain(m, n, k, 1.0, Matrix<double>{wide_a.data(), k}, Matrix<double>{wide_b.data(), k, true}, 0.0,
             expected.data(), n);
  const Device<bf16> device_a(a), c(m * n);
  const Device<float> device_b(b);
  const Device<uint8_t> packed(gemm_packed_bytes(Cuda(), n, k, Precision::bf16));
  gemm_pack(Cuda(), n, k, Matrix<float>{device_b, k, true}, Precision::bf16, packed.data());
  gemm_packed(Cuda(), m, n, k, 1, Matrix<bf16>{device_a, k}, packed.data(), 0, c.data(), n, {}, Precision::bf16);
  EXPECT_LE(relative_error(c.values(), expected), device_tolerance<bf16>);
  const Device<float> wide(m * n);
  gemm_packed(Cuda(), m, n, k, 1, Matrix<bf16>{device_a, k}, packed.data(), 0, wide.data(), n, {}, Precision::bf16);
  EXPECT_LE(relative_error(wide.values(), expected), device_tolerance<float>);
}

/// A bias that the caller has rounded is the one that is added: here another one, so that it shows.
TEST(GemmInPrecision, TakesABiasInTheNumbersOfC) {
  const int64_t m = 3, n = 8, k = 8;
  const Device<f16> a(draw<f16>(m * k, 1)), b(draw<f16>(k * n, 2)), c(m * n), again(m * n);
  const auto other = draw<f16>(n, 4);
  const Device<float> bias(draw<float>(n, 3)), other_wide(as<float>(other));
  const Device<f16> rounded(other);
  const auto multiply = [&](const Device<f16>& into, Finish<float> finish) {
    gemm(Cuda(), m, n, k, 1, Matrix<f16>{a, k}, Matrix<f16>{b, n}, 0, into.data(), n, finish);
    return as<float>(into.values());
  };
  EXPECT_EQ(multiply(c, {bias, Activation::relu, rounded.data()}), multiply(again, {other_wide, Activation::relu}));
}

}  // namespace
}  // namespace kernels
