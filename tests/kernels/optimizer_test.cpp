#include "kernels/optimizer.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class AdamOf : public testing::Test {};
TYPED_TEST_SUITE(AdamOf, Numbers);

/// The published algorithm, one element, in f64.
struct Reference {
  double p, m = 0, v = 0;
  void step(double g, const AdamStep& s) {
    g = g * s.gradient_scale + s.l2 * p;
    p -= s.rate * s.weight_decay * p;
    m = s.beta1 * m + (1 - s.beta1) * g;
    v = s.beta2 * v + (1 - s.beta2) * g * g;
    p -= s.rate * (m / s.bias1) / (std::sqrt(v / s.bias2) + s.epsilon);
  }
};

TYPED_TEST(AdamOf, FollowsThePublishedAlgorithm) {
  using T = TypeParam;
  for (const bool decay : {false, true}) {
    for (const int64_t n : {1, 7, 65, 40003}) {
      AdamStep s;
      s.rate = 0.01, s.weight_decay = decay ? 0.1 : 0, s.l2 = decay ? 0.05 : 0, s.gradient_scale = 0.5;
      const auto start = draw<T>(n, 1);
      Output<T> p(n), m(n), v(n);
      std::copy(start.begin(), start.end(), p.data());
      std::fill_n(m.data(), n, T(0));
      std::fill_n(v.data(), n, T(0));
      std::vector<Reference> reference;
      for (const T value : start) reference.push_back({double(value)});
      for (int step = 1; step <= 5; ++step) {
        s.bias1 = 1 - std::pow(s.beta1, step), s.bias2 = 1 - std::pow(s.beta2, step);
        const auto g = draw<T>(n, uint64_t(step) + 10);
        const int64_t half = n / 2;  // as two tensors and an empty one
        const AdamTensor<T> tensors[] = {{p.data(), g.data(), m.data(), v.data(), half},
                                         {p.data(), g.data(), m.data(), v.data(), 0},
                                         {p + half, g.data() + half, m + half, v + half, n - half}};
        adam(Cpu(), &s, tensors, 3);
        for (int64_t i = 0; i < n; ++i) reference[size_t(i)].step(double(g[size_t(i)]), s);
      }
      std::vector<double> expected_p, expected_m, expected_v;
      for (const Reference& r : reference) {
        expected_p.push_back(r.p), expected_m.push_back(r.m), expected_v.push_back(r.v);
      }
      EXPECT_LE(relative_error(p.values(), expected_p), tolerance<T>);
      EXPECT_LE(relative_error(m.values(), expected_m), tolerance<T>);
      EXPECT_LE(relative_error(v.values(), expected_v), 30 * tolerance<T>) << "1 − β₂ has 4 digits fewer in f32";
    }
  }
}

TYPED_TEST(AdamOf, TheFirstStepIsTheRateTowardsTheMinimum) {
  using T = TypeParam;
  AdamStep s;
  s.rate = 0.25, s.bias1 = 1 - s.beta1, s.bias2 = 1 - s.beta2;
  const std::vector<T> g = {T(1e-3), -2, 300};
  std::vector<T> p(3), m(3), v(3);
  const AdamTensor<T> tensor{p.data(), g.data(), m.data(), v.data(), 3};
  adam(Cpu(), &s, &tensor, 1);
  EXPECT_NEAR(double(p[0]), -0.25, 1e-5);
  EXPECT_NEAR(double(p[1]), 0.25, 1e-5);
  EXPECT_NEAR(double(p[2]), -0.25, 1e-5);
}

TYPED_TEST(AdamOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t n = 40007;
  const auto g = draw<T>(n, 1);
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t(3 * n), T(0.5));
    const AdamStep s;
    std::vector<AdamTensor<T>> tensors;
    for (int64_t first = 0, length = 1; first < n; first += length, length = 3 * length + 1) {
      T* const p = all.data() + first;
      tensors.push_back({p, g.data() + first, p + n, p + 2 * n, std::min(length, n - first)});
    }
    adam(Cpu(), &s, tensors.data(), int64_t(tensors.size()));
    return all;
  });
}

TYPED_TEST(AdamOf, ASkippedStepChangesNothing) {
  using T = TypeParam;
  const std::vector<T> before = draw<T>(9, 1);
  std::vector<T> all = before;
  AdamStep s;
  s.skip = true;
  const T g[] = {1, std::numeric_limits<T>::quiet_NaN(), 2};
  const AdamTensor<T> tensor{all.data(), g, all.data() + 3, all.data() + 6, 3};
  adam(Cpu(), &s, &tensor, 1);
  EXPECT_EQ(all, before);
}

TEST(LossScale, HalvesWhenAStepIsSkippedAndDoublesAfterPatience) {
  LossScale loss;
  loss.scale = 4, loss.least = 2, loss.most = 8, loss.patience = 3;
  const auto scales = [&](bool finite, int steps) {
    std::vector<double> result;
    for (int i = 0; i < steps; ++i) update(loss, finite), result.push_back(loss.scale);
    return result;
  };
  EXPECT_EQ(scales(true, 7), (std::vector<double>{4, 4, 8, 8, 8, 8, 8})) << "doubled, and no further than allowed";
  EXPECT_EQ(scales(false, 3), (std::vector<double>{4, 2, 2}));
  EXPECT_EQ(scales(true, 2), (std::vector<double>{2, 2}));
  EXPECT_EQ(scales(false, 1), (std::vector<double>{2})) << "an overflow ends the row of good steps";
  EXPECT_EQ(scales(true, 3), (std::vector<double>{2, 2, 4}));
  EXPECT_EQ(loss.taken, 12);
  EXPECT_EQ(loss.skipped, 4);
}

TEST(PrepareStep, ClipsTheUnscaledNormAndSkipsWhatIsNotFinite) {
  LossScale loss;
  loss.scale = 4;
  AdamStep step;
  prepare(0, 16, loss, step);  // norm 4 / 4 = 1
  EXPECT_FALSE(step.skip);
  EXPECT_DOUBLE_EQ(step.gradient_scale, 0.25);
  EXPECT_DOUBLE_EQ(step.bias1, 1 - step.beta1);
  prepare(0.5, 16, loss, step);
  EXPECT_DOUBLE_EQ(step.gradient_scale, 0.125) << "twice the limit";
  EXPECT_DOUBLE_EQ(step.bias1, 1 - step.beta1 * step.beta1);
  prepare(5, 16, loss, step);
  EXPECT_DOUBLE_EQ(step.gradient_scale, 0.25) << "below the limit";
  const double bias = step.bias1;
  for (const double squares : {infinity<double>, std::nan("")}) {
    prepare(0.5, squares, loss, step);
    EXPECT_TRUE(step.skip);
    EXPECT_EQ(step.bias1, bias) << "a skipped step is none";
  }
  EXPECT_EQ(loss.scale, 1);
  EXPECT_EQ(loss.taken, 3);
  EXPECT_EQ(loss.skipped, 2);
}

}  // namespace
}  // namespace kernels
