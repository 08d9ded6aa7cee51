#include "kernels/loss.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class LossOf : public testing::Test {};
TYPED_TEST_SUITE(LossOf, Numbers);

/// Log-probabilities of a row, in f64.
template <class T>
std::vector<double> log_probabilities(const T* x, int64_t cols) {
  double best = -INFINITY, total = 0;
  for (int64_t c = 0; c < cols; ++c) best = std::max(best, double(x[c]));
  for (int64_t c = 0; c < cols; ++c) total += std::exp(double(x[c]) - best);
  std::vector<double> result;
  for (int64_t c = 0; c < cols; ++c) result.push_back(double(x[c]) - best - std::log(total));
  return result;
}

/// Calls f(rows, cols) for the shapes of interest.
template <class F>
void for_shapes(const F& f) {
  for (const int64_t rows : {1, 5, 64}) {
    for (const int64_t cols : {2, 3, 17, 128, 131}) {
      SCOPED_TRACE(testing::Message() << rows << " × " << cols);
      f(rows, cols);
    }
  }
}

TYPED_TEST(LossOf, CrossEntropyIsItsFormula) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t cols) {
    const auto x = draw<T>(rows * cols, 1, -5, 5), dloss = draw<T>(rows, 2);
    std::vector<int32_t> targets;
    std::vector<double> loss, dx;
    for (int64_t r = 0; r < rows; ++r) {
      targets.push_back(int32_t(r * 7 % cols));
      const auto log_p = log_probabilities(x.data() + r * cols, cols);
      loss.push_back(-log_p[size_t(targets.back())]);
      for (int64_t c = 0; c < cols; ++c) {
        dx.push_back((std::exp(log_p[size_t(c)]) - (c == targets.back())) * double(dloss[size_t(r)]));
      }
    }
    Output<T> found(rows);
    cross_entropy(Cpu(), x.data(), targets.data(), found.data(), rows, cols);
    EXPECT_LE(relative_error(found.values(), loss), tolerance<T>);
    expect_gradient<T>(
        dx, [&](Grad<T> g) { cross_entropy_backward(Cpu(), x.data(), targets.data(), dloss.data(), g, rows, cols); });
  });
}

TYPED_TEST(LossOf, CrossEntropyDoesNotOverflow) {
  using T = TypeParam;
  const std::vector<T> x = {1000, -1000};
  const std::vector<int32_t> targets = {1};
  T loss = 0;
  cross_entropy(Cpu(), x.data(), targets.data(), &loss, 1, 2);
  EXPECT_EQ(loss, T(2000));
}

TYPED_TEST(LossOf, BidirectionalKlIsItsFormula) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t cols) {
    const auto a = draw<T>(rows * cols, 1, -3, 3), b = draw<T>(rows * cols, 2, -3, 3), dloss = draw<T>(rows, 3);
    std::vector<double> loss, da, db;
    for (int64_t r = 0; r < rows; ++r) {
      const auto p = log_probabilities(a.data() + r * cols, cols), q = log_probabilities(b.data() + r * cols, cols);
      double kl_pq = 0, kl_qp = 0;
      for (size_t c = 0; c < p.size(); ++c) {
        kl_pq += std::exp(p[c]) * (p[c] - q[c]), kl_qp += std::exp(q[c]) * (q[c] - p[c]);
      }
      loss.push_back(kl_pq + kl_qp);
      for (size_t c = 0; c < p.size(); ++c) {
        const double pc = std::exp(p[c]), qc = std::exp(q[c]), l = p[c] - q[c], d = double(dloss[size_t(r)]);
        da.push_back((pc * (l - kl_pq) + pc - qc) * d);
        db.push_back((qc * (-kl_qp - l) + qc - pc) * d);
      }
    }
    Output<T> found(rows);
    bidirectional_kl(Cpu(), a.data(), b.data(), found.data(), rows, cols);
    EXPECT_LE(relative_error(found.values(), loss), tolerance<T>);
    const Grad<T> none;
    const auto backward = [&](Grad<T> ga, Grad<T> gb) {
      bidirectional_kl_backward(Cpu(), a.data(), b.data(), dloss.data(), ga, gb, rows, cols);
    };
    expect_gradient<T>(
        da, [&](Grad<T> g) { backward(g, none); }, 3 * tolerance<T>);
    expect_gradient<T>(
        db, [&](Grad<T> g) { backward(none, g); }, 3 * tolerance<T>);
    Output<T> da_found(rows * cols), db_found(rows * cols);
    backward(Grad<T>{da_found.data()}, Grad<T>{db_found.data()});
    EXPECT_LE(relative_error(da_found.values(), da), 3 * tolerance<T>);
    EXPECT_LE(relative_error(db_found.values(), db), 3 * tolerance<T>);
  });
}

TYPED_TEST(LossOf, BidirectionalKlOfEqualRowsIsZero) {
  using T = TypeParam;
  const auto a = draw<T>(131, 1, -5, 5);
  const T dloss = 1;
  T loss = 1;
  std::vector<T> da(131, 1), db(131, 1);
  bidirectional_kl(Cpu(), a.data(), a.data(), &loss, 1, 131);
  bidirectional_kl_backward(Cpu(), a.data(), a.data(), &dloss, Grad<T>{da.data()}, Grad<T>{db.data()}, 1, 131);
  EXPECT_EQ(loss, T(0));
  EXPECT_EQ(da, std::vector<T>(131, 0));
  EXPECT_EQ(db, std::vector<T>(131, 0));
}

TYPED_TEST(LossOf, SquaredErrorIsItsFormula) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t cols) {
    const auto a = draw<T>(rows * cols, 1), b = draw<T>(rows * cols, 2), dloss = draw<T>(rows, 3);
    std::vector<double> loss(static_cast<size_t>(rows)), da, db;
    for (int64_t i = 0; i < rows * cols; ++i) {
      const double difference = double(a[size_t(i)]) - double(b[size_t(i)]), d = double(dloss[size_t(i / cols)]);
      loss[size_t(i / cols)] += difference * difference;
      da.push_back(2 * difference * d), db.push_back(-2 * difference * d);
    }
    Output<T> found(rows);
    squared_error(Cpu(), a.data(), b.data(), found.data(), rows, cols);
    EXPECT_LE(relative_error(found.values(), loss), tolerance<T>);
    const Grad<T> none;
    const auto backward = [&](Grad<T> ga, Grad<T> gb) {
      squared_error_backward(Cpu(), a.data(), b.data(), dloss.data(), ga, gb, rows, cols);
    };
    expect_gradient<T>(da, [&](Grad<T> g) { backward(g, none); });
    expect_gradient<T>(db, [&](Grad<T> g) { backward(none, g); });
  });
}

TYPED_TEST(LossOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t rows = 403, cols = 131, n = rows * cols;
  const auto a = draw<T>(n, 1), b = draw<T>(n, 2), dloss = draw<T>(rows, 3);
  std::vector<int32_t> targets;
  for (int64_t r = 0; r < rows; ++r) targets.push_back(int32_t(r % cols));
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t(3 * rows + 5 * n));
    T *loss = all.data(), *gradient = loss + 3 * rows;
    cross_entropy(Cpu(), a.data(), targets.data(), loss, rows, cols);
    bidirectional_kl(Cpu(), a.data(), b.data(), loss + rows, rows, cols);
    squared_error(Cpu(), a.data(), b.data(), loss + 2 * rows, rows, cols);
    cross_entropy_backward(Cpu(), a.data(), targets.data(), dloss.data(), Grad<T>{gradient}, rows, cols);
    bidirectional_kl_backward(Cpu(), a.data(), b.data(), dloss.data(), Grad<T>{gradient + n}, Grad<T>{gradient + 2 * n},
                              rows, cols);
    squared_error_backward(Cpu(), a.data(), b.data(), dloss.data(), Grad<T>{gradient + 3 * n},
                           Grad<T>{gradient + 4 * n}, rows, cols);
    return all;
  });
}

}  // namespace
}  // namespace kernels
