#include <cmath>

#include "tests/autograd/table.h"

namespace autograd {

using tensor::Shape;
using Values = std::vector<double>;
using Inputs = std::span<const Variable>;

namespace {

const std::vector<Shape> shapes = {Shape{1, 1},    Shape{1, 2}, Shape{5},       Shape{3, 17},
                                   Shape{2, 3, 4}, Shape{7, 9}, Shape{150, 131}};

/// log softmax of row r.
Values log_probabilities(const Array& x, int64_t r) {
  double total = 0;
  for (int64_t c = 0; c < x.cols(); ++c) total += std::exp(x(r, c));
  Values y;
  for (int64_t c = 0; c < x.cols(); ++c) y.push_back(x(r, c) - std::log(total));
  return y;
}

/// Cases of one input over the shapes; row(x, r) gives what row r contributes to the result.
template <class Call, class RowOf>
Cases over_rows(const Call& call, const RowOf& row) {
  Cases cases;
  for (const Shape& shape : shapes) {
    cases.push_back({fmt::format("{}", shape),
                     {draw(shape, 1, -3, 3)},
                     [call](Inputs x) { return call(x[0]); },
                     [row](const std::vector<Array>& x) {
                       Values y;
                       for (int64_t r = 0; r < x[0].rows(); ++r) {
                         const Values values = row(x[0], r);
                         y.insert(y.end(), values.begin(), values.end());
                       }
                       return y;
                     },
                     1e-6,
                     shape.elements() > 1000});
  }
  return cases;
}

/// Cases of two inputs of one shape and one loss per row.
Cases losses_of_pairs(Variable (*op)(const Variable&, const Variable&),
                      double (*loss)(const Array& a, const Array& b, int64_t r)) {
  Cases cases;
  for (const Shape& shape : shapes) {
    cases.push_back({fmt::format("{}", shape),
                     {draw(shape, 1), draw(shape, 2)},
                     [op](Inputs x) { return op(x[0], x[1]); },
                     [loss](const std::vector<Array>& x) {
                       Values y;
                       for (int64_t r = 0; r < x[0].rows(); ++r) y.push_back(loss(x[0], x[1], r));
                       return y;
                     },
                     1e-6,
                     shape.elements() > 1000});
  }
  return cases;
}

}  // namespace

Cases softmax_cases() {
  return over_rows(softmax, [](const Array& x, int64_t r) {
    Values y = log_probabilities(x, r);
    for (double& value : y) value = std::exp(value);
    return y;
  });
}

Cases log_softmax_cases() { return over_rows(log_softmax, log_probabilities); }

Cases cross_entropy_cases() {
  Cases cases;
  for (const Shape& shape : shapes) {
    std::vector<int32_t> targets;
    for (int64_t r = 0; r < shape.rows(); ++r) targets.push_back(int32_t((r * r + 1) % shape.back()));
    const Tensor ids = Tensor::of<int32_t>(Shape{shape.rows()}, std::span<const int32_t>(targets));
    cases.push_back({fmt::format("{}", shape),
                     {draw(shape, 1, -3, 3)},
                     [ids](Inputs x) { return cross_entropy(x[0], ids); },
                     [targets](const std::vector<Array>& x) {
                       Values y;
                       for (int64_t r = 0; r < x[0].rows(); ++r) {
                         y.push_back(-log_probabilities(x[0], r)[size_t(targets[size_t(r)])]);
                       }
                       return y;
                     },
                     1e-6,
                     shape.elements() > 1000});
  }
  return cases;
}

Cases bidirectional_kl_cases() {
  return losses_of_pairs(bidirectional_kl, [](const Array& a, const Array& b, int64_t r) {
    const Values p = log_probabilities(a, r), q = log_probabilities(b, r);
    double loss = 0;
    for (size_t c = 0; c < p.size(); ++c) {
      loss += std::exp(p[c]) * (p[c] - q[c]) + std::exp(q[c]) * (q[c] - p[c]);
    }
    return loss;
  });
}

Cases squared_error_cases() {
  return losses_of_pairs(squared_error, [](const Array& a, const Array& b, int64_t r) {
    double loss = 0;
    for (int64_t c = 0; c < a.cols(); ++c) loss += std::pow(a(r, c) - b(r, c), 2);
    return loss;
  });
}

Cases layer_norm_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{4, 1}, Shape{3, 2}, Shape{5}, Shape{3, 17}, Shape{2, 3, 4}, Shape{150, 131}}) {
    // Two numbers may lie close together: their norm bends too sharply for central differences unless ε is large.
    const double epsilon = shape.back() < 4 ? 0.5 : 1e-5;
    const Shape width{shape.back()};
    cases.push_back({fmt::format("{}", shape),
                     {draw(shape, 1, -1, 3), draw(width, 2), draw(width, 3)},
                     [epsilon](Inputs x) { return layer_norm(x[0], x[1], x[2], epsilon); },
                     [epsilon](const std::vector<Array>& x) {
                       const double n = double(x[0].cols());
                       Values y;
                       for (int64_t r = 0; r < x[0].rows(); ++r) {
                         double mean = 0, variance = 0;
                         for (int64_t c = 0; c < x[0].cols(); ++c) mean += x[0](r, c) / n;
                         for (int64_t c = 0; c < x[0].cols(); ++c) variance += std::pow(x[0](r, c) - mean, 2) / n;
                         for (int64_t c = 0; c < x[0].cols(); ++c) {
                           y.push_back((x[0](r, c) - mean) / std::sqrt(variance + epsilon) * x[1](c) + x[2](c));
                         }
                       }
                       return y;
                     },
                     1e-5,  // dx is a small difference of large terms, and parameters sum over the rows
                     shape.elements() > 1000,
                     2});
  }
  return cases;
}

}  // namespace autograd
