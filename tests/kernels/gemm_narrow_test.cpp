#include <algorithm>
#include <array>
#include "kernels/gemm_engines.h"

#include "tests/kernels/arrays.h"

/// Products in bf16 and int8, by every engine that this processor can run and by the model of AMX.
namespace kernels {
namespace {

using Floats = std::vector<float>;

class NarrowGemm : public testing::TestWithParam<const NarrowEngine*> {
 protected:
  NarrowGemm() : before_(&narrow_engine(GetParam()->precision)) { use_narrow_engine(*GetParam()); }
  ~NarrowGemm() override { use_narrow_engine(*before_); }
  Precision precision() const { return GetParam()->precision; }
  bool is_model() const { return std::string(GetParam()->name).ends_with("model"); }

  Floats run(int64_t m, int64_t n, int64_t k, Matrix<float> a, Matrix<float> b, float beta = 0, Finish<float> f = {},
             const Floats& before = {}) const {
    Output<float> c(m * n);
    std::copy(before.begin(), before.end(), c.data());
    gemm(Cpu(), m, n, k, 0.5f, a, b, beta, c.data(), n, f, precision());
    return c.values();
  }

 private:
  const NarrowEngine* before_;
};

float element(Matrix<float> x, int64_t i, int64_t j) {
  return x.transposed ? x.data[j * x.stride + i] : x.data[i * x.stride + j];
}

/// What the product of rounded operands is, summed in f64. int8: each row of A and column of B has a scale of its own
/// in each block of k; one block here.
std::vector<double> expected(Precision precision, int64_t m, int64_t n, int64_t k, Matrix<float> a, Matrix<float> b) {
  const auto rounded = [&](auto at, int64_t count) {
    std::vector<double> result;
    double largest = 0;
    for (int64_t p = 0; p < count; ++p) largest = std::max(largest, std::fabs(double(at(p))));
    for (int64_t p = 0; p < count; ++p) {
      const float scale = float(largest) / 127;
      result.push_back(precision == Precision::bf16 ? double(float(bf16(at(p))))
                                                    : double(scale) * std::nearbyint(at(p) * (1 / scale)));
    }
    return result;
  };
  std::vector<double> c;
  for (int64_t i = 0; i < m; ++i) {
    const auto row = rounded([&](int64_t p) { return element(a, i, p); }, k);
    for (int64_t j = 0; j < n; ++j) {
      const auto column = rounded([&](int64_t p) { return element(b, p, j); }, k);
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) sum += row[size_t(p)] * column[size_t(p)];
      c.push_back(0.5 * sum);
    }
  }
  return c;
}

TEST_P(NarrowGemm, MultipliesRoundedOperandsForEveryLayout) {
  const int64_t sizes[][3] = {{1, 1, 1}, {2, 3, 5}, {17, 16, 33}, {33, 70, 64}, {40, 31, 131}, {7, 33, 300}};
  for (const auto& [m, n, k] : sizes) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        SCOPED_TRACE(testing::Message() << m << " × " << k << " × " << n << (ta ? " Aᵀ" : "") << (tb ? " Bᵀ" : ""));
        const auto a_values = draw<float>((m + 3) * (k + 3), 1), b_values = draw<float>((k + 3) * (n + 3), 2);
        const Matrix<float> a{a_values.data(), (ta ? m : k) + 3, ta}, b{b_values.data(), (tb ? k : n) + 3, tb};
        EXPECT_LE(relative_error(run(m, n, k, a, b), expected(precision(), m, n, k, a, b)), 1e-6);
      }
    }
  }
}

TEST_P(NarrowGemm, IsNearTheFullProduct) {
  const int64_t m = 20, n = 50, k = is_model() ? 2100 : 5000;  // several blocks
  const auto a = draw<float>(m * k, 1), b = draw<float>(k * n, 2);
  std::vector<double> full;
  for (int64_t i = 0; i < m * n; ++i) {
    double sum = 0;
    for (int64_t p = 0; p < k; ++p) sum += double(a[size_t(i / n * k + p)]) * double(b[size_t(p * n + i % n)]);
    full.push_back(0.5 * sum);
  }
  EXPECT_LE(relative_error(run(m, n, k, {a.data(), k}, {b.data(), n}), full), 1e-2);
}

TEST_P(NarrowGemm, AddsAndFinishesAsTheFullProductDoes) {
  const int64_t m = 35, n = 40, k = 20;
  const auto a = draw<float>(m * k, 1), b = draw<float>(k * n, 2), bias = draw<float>(n, 3),
             before = draw<float>(m * n, 4);
  auto sums = expected(precision(), m, n, k, {a.data(), k}, {b.data(), n});
  for (int64_t i = 0; i < m * n; ++i) {
    sums[size_t(i)] = std::max(0.0, sums[size_t(i)] + 2 * double(before[size_t(i)]) + double(bias[size_t(i % n)]));
  }
  const Finish<float> finish{bias.data(), Activation::relu};
  EXPECT_LE(relative_error(run(m, n, k, {a.data(), k}, {b.data(), n}, 2, finish, before), sums), 1e-6);
}

TEST_P(NarrowGemm, PackedOnceGivesTheSameBits) {
  const int64_t m = 29, n = 70, k = 150;
  const auto a = draw<float>(m * k, 1), b = draw<float>(k * n, 2), bias = draw<float>(n, 3);
  const Matrix<float> left{a.data(), k}, right{b.data(), k, true};
  const int64_t bytes = gemm_packed_bytes(Cpu(), n, k, precision());
  struct alignas(64) Line {
    char bytes[64];
  };
  std::vector<Line> packed(size_t(bytes + 63) / 64);
  gemm_pack(Cpu(), n, k, right, precision(), packed.data());
  Output<float> once(m * n), each(m * n);
  const Finish<float> finish{bias.data(), {}};
  gemm_packed(Cpu(), m, n, k, 1, left, packed.data(), 0, once.data(), n, finish, precision());
  gemm(Cpu(), m, n, k, 1.0f, left, right, 0.0f, each.data(), n, finish, precision());
  EXPECT_EQ(once.values(), each.values());
}

TEST_P(NarrowGemm, ARowIsTheSameInEveryBatchAndForAnyThreads) {
  const int64_t m = 50, n = 40, k = 70;
  const auto a = draw<float>(m * k, 1), b = draw<float>(k * n, 2);
  const Floats whole = run(m, n, k, {a.data(), k}, {b.data(), n});
  for (const int64_t rows : {1, 2, 5, 14, 15, 32, 33}) {
    const Floats some = run(rows, n, k, {a.data() + (m - rows) * k, k}, {b.data(), n});
    EXPECT_EQ(some, Floats(whole.end() - rows * n, whole.end())) << rows << " rows";
  }
  expect_same_for_any_threads([&] { return run(m, n, k, {a.data(), k}, {b.data(), n}); });
}

TEST_P(NarrowGemm, LetsNanThrough) {
  const int64_t m = 20, n = 9, k = 30;
  auto a = draw<float>(m * k, 1);
  const auto b = draw<float>(k * n, 2);
  a[size_t(3 * k + 1)] = std::numeric_limits<float>::quiet_NaN();
  const Floats c = run(m, n, k, {a.data(), k}, {b.data(), n});
  for (int64_t i = 0; i < m * n; ++i) EXPECT_EQ(std::isnan(c[size_t(i)]), i / n == 3) << i / n;
}

TEST_P(NarrowGemm, RowsOfZerosGiveZeros) {
  const int64_t m = 3, n = 5, k = 70;
  const Floats a(size_t(m * k), 0.0f), b = draw<float>(k * n, 2);
  EXPECT_EQ(run(m, n, k, {a.data(), k}, {b.data(), n}), Floats(size_t(m * n), 0.0f));
}

INSTANTIATE_TEST_SUITE_P(Engines, NarrowGemm, testing::ValuesIn(narrow_engines().begin(), narrow_engines().end()),
                         [](const auto& info) {
                           std::string name = info.param->name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// c by every engine for int8; numbers are drawn, or all at the ends of what 8 bits hold, where sums are largest.
void expect_same_bits(int64_t m, int64_t n, int64_t k, bool largest) {
  SCOPED_TRACE(testing::Message() << m << " × " << k << " × " << n << (largest ? ", largest" : ""));
  auto a = draw<float>(m * k, 1), b = draw<float>(k * n, 2);
  if (largest) {
    for (Floats* x : {&a, &b}) {
      for (float& value : *x) value = value < -0.25f ? -1.0f : 1.0f;
    }
  }
  Floats first;
  for (const NarrowEngine* engine : narrow_engines()) {
    if (engine->precision != Precision::int8) continue;
    use_narrow_engine(*engine);
    Output<float> c(m * n);
    gemm(Cpu(), m, n, k, 1.0f, {a.data(), k}, {b.data(), n}, 0.0f, c.data(), n, {}, Precision::int8);
    if (first.empty()) first = c.values();
    EXPECT_EQ(c.values(), first) << engine->name;
  }
}

TEST(NarrowEngines, OfInt8GiveTheSameBits) {
  const NarrowEngine& before = narrow_engine(Precision::int8);
  const int64_t sizes[][3] = {{40, 45, 333}, {1, 1, 1}, {2, 16, 63}, {3, 33, 64}, {5, 7, 65}, {7, 32, 4099}};
  for (const auto& [m, n, k] : sizes) {
    expect_same_bits(m, n, k, false);
    expect_same_bits(m, n, k, true);
  }
  use_narrow_engine(before);
}

#if defined(__x86_64__)
TEST(NarrowEngines, Int8ByPlainLoopsIsNobodysFirstChoice) {
  EXPECT_STRNE(gemm_engine(Precision::int8), "portable-int8");
}
#endif

}  // namespace
}  // namespace kernels
