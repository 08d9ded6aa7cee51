#include <cmath>

#include "kernels/philox.h"
#include "tests/autograd/table.h"

namespace autograd {

using tensor::Shape;
using Values = std::vector<double>;
using Inputs = std::span<const Variable>;

Array draw(const Shape& shape, uint64_t seed, double low, double high) {
  Array result{shape, {}};
  for (int64_t i = 0; i < shape.elements(); ++i) {
    const double u = kernels::uniform_from(kernels::philox(seed, uint64_t(i), 1).v[0]);
    result.values.push_back(double(float(low + (high - low) * u)));
  }
  return result;
}

Array draw_around(double kink, double away, const Shape& shape, uint64_t seed, double low, double high) {
  Array result = draw(shape, seed, low, high);
  for (double& x : result.values) {
    if (std::abs(x - kink) < away) x = double(float(kink + (x < kink ? -2 : 2) * away));
  }
  return result;
}

Cases leaf_cases() {
  return {{"[3, 5]",
           {draw(Shape{3, 5}, 1)},
           [](Inputs x) { return x[0]; },
           [](const std::vector<Array>& x) { return x[0].values; }}};
}

namespace {

const std::vector<std::pair<Shape, Shape>> pairs = {
    {Shape{1}, Shape{1}},          {Shape{}, Shape{}},
    {Shape{17}, Shape{17}},        {Shape{5}, Shape{}},
    {Shape{3, 17}, Shape{17}},     {Shape{17}, Shape{3, 17}},
    {Shape{7, 9}, Shape{7, 1}},    {Shape{5, 1}, Shape{1, 3}},
    {Shape{2, 1, 5}, Shape{4, 5}}, {Shape{2, 3, 1, 2}, Shape{3, 4, 1}},
    {Shape{2, 3, 5}, Shape{1}},    {Shape{0, 3}, Shape{3}},
    {Shape{130, 257}, Shape{257}}, {Shape{130, 257}, Shape{130, 257}},
};

/// f over broadcast operands, NumPy's rule: sizes aligned at the end, 1 stretches.
Values broadcast(const Array& a, const Array& b, double (*f)(double, double)) {
  const int rank = std::max(a.shape.rank(), b.shape.rank());
  const auto size_of = [&](const Shape& s, int d) { return d + s.rank() < rank ? 1 : s[d + s.rank() - rank]; };
  std::vector<int64_t> sizes, at(size_t(rank), 0);
  int64_t total = 1;
  for (int d = 0; d < rank; ++d) {
    const int64_t n = size_of(a.shape, d);
    sizes.push_back(n == 1 ? size_of(b.shape, d) : n);
    total *= sizes.back();
  }
  Values y;
  for (int64_t k = 0; k < total; ++k) {
    const auto index = [&](const Shape& s) {
      int64_t i = 0;
      for (int d = 0; d < rank; ++d) i = i * size_of(s, d) + (size_of(s, d) == 1 ? 0 : at[size_t(d)]);
      return i;
    };
    y.push_back(f(a(index(a.shape)), b(index(b.shape))));
    for (int d = rank - 1; d >= 0 && ++at[size_t(d)] == sizes[size_t(d)]; --d) at[size_t(d)] = 0;
  }
  return y;
}

Cases binary(Variable (*op)(const Variable&, const Variable&), double (*f)(double, double)) {
  Cases cases;
  for (const auto& [a, b] : pairs) {
    cases.push_back({fmt::format("{} with {}", a, b),
                     {draw(a, 1), draw(b, 2, 0.5, 2)},
                     [op](Inputs x) { return op(x[0], x[1]); },
                     [f](const std::vector<Array>& x) { return broadcast(x[0], x[1], f); },
                     1e-5,  // a bias's gradient sums over the rows
                     a.elements() > 1000});
  }
  return cases;
}

/// `range`: inputs lie in ±range; `away`: and that far from a kink at 0.
Cases unary(Variable (*op)(const Variable&), double (*f)(double), double range = 4, double away = 0) {
  Cases cases;
  for (const Shape& shape : {Shape{1}, Shape{2}, Shape{17}, Shape{3, 5, 7}, Shape{0, 2}, Shape{8009}}) {
    cases.push_back({fmt::format("{}", shape),
                     {draw_around(0, away, shape, 1, -range, range)},
                     [op](Inputs x) { return op(x[0]); },
                     [f](const std::vector<Array>& x) {
                       Values y;
                       for (const double value : x[0].values) y.push_back(f(value));
                       return y;
                     },
                     1e-6,
                     shape.elements() > 1000});
  }
  return cases;
}

}  // namespace

Cases add_cases() {
  return binary(add, [](double a, double b) { return a + b; });
}
Cases sub_cases() {
  return binary(sub, [](double a, double b) { return a - b; });
}
Cases mul_cases() {
  return binary(mul, [](double a, double b) { return a * b; });
}
Cases div_cases() {
  return binary(div, [](double a, double b) { return a / b; });
}
Cases scale_cases() {
  return unary([](const Variable& x) { return scale(x, -1.5); }, [](double x) { return -1.5 * x; });
}
Cases relu_cases() {
  return unary(
      relu, [](double x) { return x > 0 ? x : 0.0; }, 4, 0.01);
}
Cases elu_cases() {
  return unary(
      elu, [](double x) { return x > 0 ? x : std::exp(x) - 1; }, 4, 0.01);
}
Cases silu_cases() {
  return unary(silu, [](double x) { return x / (1 + std::exp(-x)); });
}
// Their derivatives come from y: near saturation 1 − y keeps few digits of its own, so ±1 here (further out:
// tests/kernels/activation_test.cpp).
Cases sigmoid_cases() {
  return unary(
      sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 1);
}
Cases tanh_cases() {
  return unary(
      tanh, [](double x) { return (std::exp(2 * x) - 1) / (std::exp(2 * x) + 1); }, 1);
}
Cases gelu_cases() {
  return unary(gelu, [](double x) { return x * (1 + std::erf(x / std::sqrt(2.0))) / 2; });
}

double dropout_factor(const DropoutSite& site, int64_t i) {
  const uint32_t word = kernels::philox(site.key.seed, uint64_t(i / 8) | site.site << 32, site.key.step).v[i % 8 / 2];
  const double u = double(i % 2 == 0 ? word & 0xffff : word >> 16) / 65536;
  const bool keep = site.mask.defined() ? site.mask.data<uint8_t>()[i] != 0 : u >= site.rate;
  return keep ? 1 / (1 - site.rate) : 0.0;
}

std::vector<DropoutSite> dropout_sites(int64_t n) {
  Tensor mask(Shape{n}, tensor::DType::u8);
  for (int64_t i = 0; i < n; ++i) mask.data<uint8_t>()[i] = i % 3 != 0;
  return {{0.3, {11, 12}, 13, {}, {}}, {0.25, {}, 0, mask, {}}};
}

Cases dropout_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 17}, Shape{5, 1000}}) {
    for (const DropoutSite& site : dropout_sites(shape.elements())) {
      cases.push_back({fmt::format("{} {}", site.mask.defined() ? "given" : "drawn", shape),
                       {draw(shape, 1)},
                       [site](Inputs x) { return dropout(x[0], site); },
                       [site](const std::vector<Array>& x) {
                         Values y;
                         for (int64_t i = 0; i < int64_t(x[0].values.size()); ++i) {
                           y.push_back(x[0](i) * dropout_factor(site, i));
                         }
                         return y;
                       },
                       1e-6,
                       shape.elements() > 1000});
    }
  }
  cases.push_back({"rate 0",
                   {draw(Shape{4}, 1)},
                   [](Inputs x) { return dropout(x[0], DropoutSite{}); },
                   [](const std::vector<Array>& x) { return x[0].values; }});
  return cases;
}

}  // namespace autograd
