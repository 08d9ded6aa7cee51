#include <cmath>

#include "tests/autograd/table.h"

namespace autograd {

using tensor::Shape;
using Values = std::vector<double>;
using Inputs = std::span<const Variable>;

namespace {

/// Σ_p a_ip b_pj for each matrix of the batch.
Values product(const Array& a, const Array& b, bool ta, bool tb) {
  const int64_t m = a.shape[ta ? -1 : -2], k = a.shape[ta ? -2 : -1], n = b.shape[tb ? -2 : -1];
  const int64_t batch = int64_t(a.values.size()) / (m * k);
  Values c;
  for (int64_t p = 0; p < batch; ++p) {
    const int64_t a0 = p * m * k, b0 = b.shape.rank() == 2 ? 0 : p * k * n;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t q = 0; q < k; ++q) {
          sum += a(a0 + (ta ? q * m + i : i * k + q)) * b(b0 + (tb ? j * k + q : q * n + j));
        }
        c.push_back(sum);
      }
    }
  }
  return c;
}

}  // namespace

Cases matmul_cases() {
  struct Layout {
    Shape a, b;
    bool ta = false, tb = false;
  };
  Cases cases;
  for (const Layout& s : {Layout{Shape{1, 1}, Shape{1, 1}}, Layout{Shape{3, 5}, Shape{5, 2}},
                          Layout{Shape{5, 3}, Shape{5, 2}, true, false}, Layout{Shape{3, 5}, Shape{2, 5}, false, true},
                          Layout{Shape{5, 3}, Shape{2, 5}, true, true}, Layout{Shape{4, 4}, Shape{4, 4}},
                          Layout{Shape{2, 3, 4}, Shape{2, 4, 5}}, Layout{Shape{2, 4, 3}, Shape{2, 5, 4}, true, true},
                          Layout{Shape{3, 2, 4}, Shape{4, 5}}, Layout{Shape{3, 2, 4}, Shape{5, 4}, false, true},
                          Layout{Shape{3, 4, 2}, Shape{4, 5}, true, false}, Layout{Shape{1, 2, 4}, Shape{4, 5}},
                          Layout{Shape{2, 2, 3, 4}, Shape{2, 2, 4, 3}}, Layout{Shape{65, 67}, Shape{67, 70}}}) {
    cases.push_back({fmt::format("{}{} by {}{}", s.a, s.ta ? " transposed" : "", s.b, s.tb ? " transposed" : ""),
                     {draw(s.a, 1), draw(s.b, 2)},
                     [ta = s.ta, tb = s.tb](Inputs x) { return matmul(x[0], x[1], ta, tb); },
                     [ta = s.ta, tb = s.tb](const std::vector<Array>& x) { return product(x[0], x[1], ta, tb); },
                     1e-6,
                     s.a.elements() > 1000,
                     false});
  }
  return cases;
}

Cases linear_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{1, 1}, Shape{5, 7}, Shape{2, 3, 4}, Shape{17, 9}, Shape{131, 65}, Shape{6}}) {
    for (const bool bias : {true, false}) {
      const int64_t in = shape.back(), out = in == 65 ? 70 : in == 1 ? 1 : in == 4 ? 4 : 3;
      std::vector<Array> inputs = {draw(shape, 1), draw(Shape{out, in}, 2)};
      if (bias) inputs.push_back(draw(Shape{out}, 3));
      cases.push_back({fmt::format("{} to {}{}", shape, out, bias ? " with bias" : ""), std::move(inputs),
                       [](Inputs x) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Variable()); },
                       [](const std::vector<Array>& x) {
                         Values y;
                         for (int64_t r = 0; r < x[0].rows(); ++r) {
                           for (int64_t o = 0; o < x[1].rows(); ++o) {
                             double sum = x.size() > 2 ? x[2](o) : 0;
                             for (int64_t i = 0; i < x[0].cols(); ++i) sum += x[0](r, i) * x[1](o, i);
                             y.push_back(sum);
                           }
                         }
                         return y;
                       },
                       1e-5,  // the bias's gradient sums over the rows
                       shape.elements() > 1000, false});
    }
  }
  return cases;
}

namespace {

struct Sequences {
  std::vector<int32_t> q, k;  ///< lengths
  int64_t heads, width;
  bool causal;
};

std::vector<int32_t> offsets_of(const std::vector<int32_t>& lengths) {
  std::vector<int32_t> offsets = {0};
  for (const int32_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

/// softmax(Q Kᵀ / √width) V, sequence by sequence, head by head, query by query.
Values attend(const std::vector<Array>& x, const Sequences& s) {
  const auto q_offsets = offsets_of(s.q), k_offsets = offsets_of(s.k);
  const int64_t d = s.heads * s.width;
  Values o(size_t(q_offsets.back() * d), 0.0);
  for (size_t b = 0; b < s.q.size(); ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t i = 0; i < s.q[b]; ++i) {
        const int64_t seen = s.causal ? std::max<int64_t>(0, i + s.k[b] - s.q[b] + 1) : s.k[b];
        Values weight;
        double total = 0;
        for (int64_t j = 0; j < seen; ++j) {
          double score = 0;
          for (int64_t c = h * s.width; c < (h + 1) * s.width; ++c) {
            score += x[0](q_offsets[b] + i, c) * x[1](k_offsets[b] + j, c);
          }
          weight.push_back(std::exp(score / std::sqrt(double(s.width))));
          total += weight.back();
        }
        for (int64_t j = 0; j < seen; ++j) {
          for (int64_t c = h * s.width; c < (h + 1) * s.width; ++c) {
            o[size_t((q_offsets[b] + i) * d + c)] += weight[size_t(j)] / total * x[2](k_offsets[b] + j, c);
          }
        }
      }
    }
  }
  return o;
}

Tensor offsets_tensor(const std::vector<int32_t>& lengths) {
  const auto offsets = offsets_of(lengths);
  return Tensor::of<int32_t>(Shape{int64_t(offsets.size())}, std::span<const int32_t>(offsets));
}

}  // namespace

Cases attention_cases() {
  Cases cases;
  for (const Sequences& s :
       {Sequences{{1}, {1}, 1, 1, false}, Sequences{{3}, {3}, 2, 3, true}, Sequences{{3, 1, 2}, {3, 1, 2}, 2, 2, true},
        Sequences{{2, 3}, {4, 1}, 2, 5, false}, Sequences{{2, 2}, {5, 2}, 1, 4, true},
        Sequences{{2, 1}, {0, 3}, 2, 2, false}, Sequences{{3}, {1}, 1, 3, true}, Sequences{{0, 2}, {3, 2}, 1, 2, false},
        Sequences{{37, 5, 20}, {37, 5, 20}, 4, 16, true}, Sequences{{33, 17}, {65, 3}, 4, 17, false}}) {
    const Tensor q_offsets = offsets_tensor(s.q), k_offsets = offsets_tensor(s.k);
    const int64_t d = s.heads * s.width, q_rows = offsets_of(s.q).back(), k_rows = offsets_of(s.k).back();
    cases.push_back({fmt::format("{} queries, {} keys, {} heads{}", q_rows, k_rows, s.heads, s.causal ? " causal" : ""),
                     {draw(Shape{q_rows, d}, 1), draw(Shape{k_rows, d}, 2), draw(Shape{k_rows, d}, 3)},
                     [=](Inputs x) { return attention(x[0], x[1], x[2], q_offsets, k_offsets, s.heads, s.causal); },
                     [s](const std::vector<Array>& x) { return attend(x, s); },
                     1e-6,
                     q_rows * d > 1000,
                     false});
  }
  return cases;
}

}  // namespace autograd
