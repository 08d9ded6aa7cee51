#include <algorithm>
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
                     s.a.elements() > 1000});
  }
  return cases;
}

namespace {

struct LinearCase {
  Shape x;
  int64_t out;
  bool bias = true;
  size_t inputs = 1;
  std::optional<kernels::Activation> activation = {};
};

/// f(Σ_i x_i W_iᵀ + b): the inputs, then the weight, then the bias where there is one.
Values affine(const std::vector<Array>& x, const LinearCase& c) {
  const Array& weight = x[c.inputs];
  const int64_t width = x[0].cols();
  Values y;
  for (int64_t r = 0; r < x[0].rows(); ++r) {
    for (int64_t o = 0; o < c.out; ++o) {
      double sum = c.bias ? x[c.inputs + 1](o) : 0;
      for (int64_t i = 0; i < weight.cols(); ++i) sum += x[size_t(i / width)](r, i % width) * weight(o, i);
      if (c.activation == kernels::Activation::relu) sum = std::max(sum, 0.0);
      if (c.activation == kernels::Activation::elu) sum = sum > 0 ? sum : std::exp(sum) - 1;
      if (c.activation == kernels::Activation::sigmoid) sum = 1 / (1 + std::exp(-sum));
      if (c.activation == kernels::Activation::tanh) sum = std::tanh(sum);
      y.push_back(sum);
    }
  }
  return y;
}

}  // namespace

Cases linear_cases() {
  using enum kernels::Activation;
  Cases cases;
  for (const LinearCase& c :
       {LinearCase{Shape{1, 1}, 1}, LinearCase{Shape{1, 1}, 1, false}, LinearCase{Shape{5, 7}, 3},
        LinearCase{Shape{5, 7}, 3, false}, LinearCase{Shape{2, 3, 4}, 4}, LinearCase{Shape{17, 9}, 3, false},
        LinearCase{Shape{6}, 3}, LinearCase{Shape{131, 65}, 70}, LinearCase{Shape{131, 65}, 70, false},
        LinearCase{Shape{4, 3}, 5, true, 2}, LinearCase{Shape{4, 3}, 5, false, 3},
        LinearCase{Shape{3, 4}, 6, true, 1, elu}, LinearCase{Shape{3, 4}, 6, true, 1, sigmoid},
        LinearCase{Shape{3, 4}, 6, false, 1, tanh}, LinearCase{Shape{3, 4}, 6, true, 2, sigmoid},
        LinearCase{Shape{3, 4}, 6, true, 1, relu}, LinearCase{Shape{131, 65}, 70, true, 2, sigmoid}}) {
    std::vector<Array> inputs;
    for (size_t i = 0; i < c.inputs; ++i) inputs.push_back(draw(c.x, 1 + i));
    inputs.push_back(draw(Shape{c.out, int64_t(c.inputs) * c.x.back()}, 12));
    if (c.bias) inputs.push_back(draw(Shape{c.out}, 13));
    cases.push_back({fmt::format("{} of {} to {}{}{}", c.inputs, c.x, c.out, c.bias ? " with bias" : "",
                                 c.activation ? fmt::format(", activation {}", int(*c.activation)) : ""),
                     std::move(inputs),
                     [c](Inputs x) {
                       return linear(x.first(c.inputs), x[c.inputs], c.bias ? x[c.inputs + 1] : Variable(),
                                     {c.activation});
                     },
                     [c](const std::vector<Array>& x) { return affine(x, c); },
                     1e-5,  // the bias's gradient sums over the rows
                     c.x.elements() > 1000, c.bias ? size_t(2) : size_t(1)});
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
                     q_rows * d > 1000});
  }
  return cases;
}

}  // namespace autograd
