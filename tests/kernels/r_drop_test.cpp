#include "kernels/r_drop.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class RDropOf : public testing::Test {};
TYPED_TEST_SUITE(RDropOf, Numbers);

std::vector<int32_t> targets_of(int64_t pairs, int64_t cols) {
  std::vector<int32_t> targets;
  for (int64_t r = 0; r < pairs; ++r) targets.push_back(int32_t(r * 7 % cols));
  return targets;
}

TYPED_TEST(RDropOf, IsItsPlainSteps) {
  using T = TypeParam;
  for (const int64_t pairs : {1, 5, 64}) {
    for (const int64_t cols : {1, 2, 17, 128, 131}) {
      SCOPED_TRACE(testing::Message() << pairs << " × " << cols);
      const int64_t n = pairs * cols;
      const auto x = draw<T>(2 * n, 1, -3, 3), dloss = draw<T>(pairs, 2);
      const auto targets = targets_of(pairs, cols);
      const T omega = T(0.375), *a = x.data(), *b = a + n;
      std::vector<T> nll_a(static_cast<size_t>(pairs)), nll_b(nll_a), kl(nll_a), half(nll_a), share(nll_a);
      cross_entropy(Cpu(), a, targets.data(), nll_a.data(), pairs, cols);
      cross_entropy(Cpu(), b, targets.data(), nll_b.data(), pairs, cols);
      bidirectional_kl(Cpu(), a, b, kl.data(), pairs, cols);
      std::vector<double> nll, loss;
      for (size_t r = 0; r < size_t(pairs); ++r) {
        nll.push_back(0.5 * (double(nll_a[r]) + double(nll_b[r]))), loss.push_back(nll[r] + 0.375 * double(kl[r]));
        half[r] = dloss[r] / 2, share[r] = omega * dloss[r];
      }
      std::vector<T> dx(size_t(2 * n));
      cross_entropy_backward(Cpu(), a, targets.data(), half.data(), Grad<T>{dx.data()}, pairs, cols);
      cross_entropy_backward(Cpu(), b, targets.data(), half.data(), Grad<T>{dx.data() + n}, pairs, cols);
      bidirectional_kl_backward(Cpu(), a, b, share.data(), Grad<T>{dx.data(), true}, Grad<T>{dx.data() + n, true},
                                pairs, cols);

      Output<T> found(pairs), found_nll(pairs), found_kl(pairs), kept(4 * pairs);
      r_drop(Cpu(), x.data(), targets.data(), omega, found.data(), found_nll.data(), found_kl.data(), kept.data(),
             pairs, cols);
      EXPECT_LE(relative_error(found.values(), loss), tolerance<T>);
      EXPECT_LE(relative_error(found_nll.values(), nll), tolerance<T>);
      EXPECT_LE(relative_error(found_kl.values(), kl), tolerance<T>);
      expect_gradient<T>(
          std::vector<double>(dx.begin(), dx.end()),
          [&](Grad<T> g) {
            r_drop_backward(Cpu(), x.data(), targets.data(), omega, kept.data(), dloss.data(), g, pairs, cols);
          },
          3 * tolerance<T>);
    }
  }
}

TYPED_TEST(RDropOf, EqualRowsAgreeExactly) {
  using T = TypeParam;
  auto x = draw<T>(131, 1, -5, 5);
  x.insert(x.end(), x.begin(), x.begin() + 131);
  const std::vector<int32_t> targets = {7};
  T loss = 0, nll = 0, kl = 1, kept[4];
  r_drop(Cpu(), x.data(), targets.data(), T(1), &loss, &nll, &kl, kept, 1, 131);
  EXPECT_EQ(kl, T(0));
  EXPECT_EQ(loss, nll);
}

TYPED_TEST(RDropOf, DoesNotOverflow) {
  using T = TypeParam;
  const std::vector<T> x = {1000, -1000, 1000, -1000};
  const std::vector<int32_t> targets = {1};
  T loss = 0, nll = 0, kl = 0, kept[4];
  r_drop(Cpu(), x.data(), targets.data(), T(1), &loss, &nll, &kl, kept, 1, 2);
  EXPECT_EQ(loss, T(2000));
}

TYPED_TEST(RDropOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t pairs = 403, cols = 131, n = 2 * pairs * cols;
  const auto x = draw<T>(n, 1), dloss = draw<T>(pairs, 2);
  const auto targets = targets_of(pairs, cols);
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t(n + 7 * pairs));
    T *dx = all.data(), *loss = dx + n, *nll = loss + pairs, *kl = nll + pairs, *kept = kl + pairs;
    r_drop(Cpu(), x.data(), targets.data(), T(0.15), loss, nll, kl, kept, pairs, cols);
    r_drop_backward(Cpu(), x.data(), targets.data(), T(0.15), kept, dloss.data(), Grad<T>{dx}, pairs, cols);
    return all;
  });
}

}  // namespace
}  // namespace kernels
