#include <cmath>

#include "tests/autograd/table.h"

/// Ops that do several things in one pass; written here from the formula; tests/kernels compares them with their plain
/// steps.
namespace autograd {

using kernels::Activation;
using tensor::Shape;
using Values = std::vector<double>;
using Inputs = std::span<const Variable>;

Cases relu_dropout_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 17}, Shape{0, 2}, Shape{5, 1000}}) {
    std::vector<DropoutSite> sites = dropout_sites(shape.elements());
    sites.emplace_back();
    for (const DropoutSite& site : sites) {
      cases.push_back({fmt::format("rate {} {}", site.rate, shape),
                       {draw_around(0, 0.01, shape, 1, -4, 4)},
                       [site](Inputs x) { return relu_dropout(x[0], site); },
                       [site](const std::vector<Array>& x) {
                         Values y;
                         for (int64_t i = 0; i < int64_t(x[0].values.size()); ++i) {
                           y.push_back(std::max(x[0](i), 0.0) * dropout_factor(site, i));
                         }
                         return y;
                       },
                       1e-6,
                       shape.elements() > 1000});
    }
  }
  return cases;
}

Cases residual_norm_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{4, 1}, Shape{3, 2}, Shape{5}, Shape{3, 17}, Shape{2, 3, 4}, Shape{150, 131}}) {
    // Two numbers may lie close together: their norm bends too sharply for central differences unless ε is large.
    const double epsilon = shape.back() < 4 ? 0.5 : 1e-5;
    const Shape width{shape.back()};
    std::vector<DropoutSite> sites = dropout_sites(shape.elements());
    sites.emplace_back();
    for (const DropoutSite& site : sites) {
      cases.push_back({fmt::format("rate {} {}", site.rate, shape),
                       {draw(shape, 1, -1, 3), draw(shape, 2), draw(width, 3), draw(width, 4)},
                       [=](Inputs x) { return residual_norm(x[0], x[1], x[2], x[3], epsilon, site); },
                       [=](const std::vector<Array>& x) {
                         const int64_t cols = x[0].cols();
                         Values y;
                         for (int64_t r = 0; r < x[0].rows(); ++r) {
                           Values s;
                           double mean = 0, variance = 0;
                           for (int64_t c = 0; c < cols; ++c) {
                             s.push_back(x[0](r, c) + x[1](r, c) * dropout_factor(site, r * cols + c));
                           }
                           for (const double value : s) mean += value / double(cols);
                           for (const double value : s) variance += std::pow(value - mean, 2) / double(cols);
                           for (int64_t c = 0; c < cols; ++c) {
                             y.push_back((s[size_t(c)] - mean) / std::sqrt(variance + epsilon) * x[2](c) + x[3](c));
                           }
                         }
                         return y;
                       },
                       1e-5,  // dx is a small difference of large terms, and parameters sum over the rows
                       shape.elements() > 1000,
                       2});
    }
  }
  return cases;
}

Cases gated_sum_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{1}, Shape{3, 17}, Shape{0, 2}, Shape{3, 1031}}) {
    for (const size_t count : {size_t(0), size_t(1), size_t(3)}) {
      for (const Activation gate : {Activation::silu, Activation::sigmoid}) {
        std::vector<Array> inputs;
        for (size_t i = 0; i < 1 + 2 * count; ++i) inputs.push_back(draw(shape, i));
        cases.push_back(
            {fmt::format("{} parts, gate {}, {}", count, int(gate), shape), inputs,
             [=](Inputs x) { return gated_sum(gate, 0.4, x[0], x.subspan(1, count), x.subspan(1 + count)); },
             [=](const std::vector<Array>& x) {
               const auto sigmoid = [](double u) { return 1 / (1 + std::exp(-u)); };
               Values y;
               for (int64_t i = 0; i < int64_t(x[0].values.size()); ++i) {
                 const double c = x[0](i);
                 double value = 0.4 * sigmoid(c) * (gate == Activation::silu ? c : 1);
                 for (size_t k = 1; k <= count; ++k) value += sigmoid(x[k](i)) * x[k + count](i);
                 y.push_back(value);
               }
               return y;
             },
             1e-6, shape.elements() > 1000});
      }
    }
  }
  return cases;
}

Cases r_drop_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{2, 1}, Shape{2, 2}, Shape{6, 17}, Shape{302, 131}}) {
    const int64_t pairs = shape[0] / 2;
    std::vector<int32_t> targets;
    for (int64_t r = 0; r < pairs; ++r) targets.push_back(int32_t((r * r + 1) % shape.back()));
    const Tensor ids = Tensor::of<int32_t>(Shape{pairs}, std::span<const int32_t>(targets));
    for (const double omega : {0.0, 0.15, 2.0}) {
      cases.push_back({fmt::format("omega {} {}", omega, shape),
                       {draw(shape, 1)},
                       [=](Inputs x) { return r_drop(x[0], ids, omega).loss; },
                       [=](const std::vector<Array>& x) {
                         const auto distribution = [&](int64_t r) {
                           Values p;
                           double total = 0;
                           for (int64_t c = 0; c < x[0].cols(); ++c) p.push_back(std::exp(x[0](r, c)));
                           for (const double value : p) total += value;
                           for (double& value : p) value /= total;
                           return p;
                         };
                         Values loss;
                         for (int64_t r = 0; r < pairs; ++r) {
                           const Values p = distribution(r), q = distribution(pairs + r);
                           const size_t t = size_t(targets[size_t(r)]);
                           loss.push_back(-0.5 * (std::log(p[t]) + std::log(q[t])));
                           for (size_t c = 0; c < p.size(); ++c) {
                             loss.back() += omega * (p[c] - q[c]) * std::log(p[c] / q[c]);
                           }
                         }
                         return loss;
                       },
                       1e-6,
                       shape.elements() > 1000});
    }
  }
  return cases;
}

}  // namespace autograd
