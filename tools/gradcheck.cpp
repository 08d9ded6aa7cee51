#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "ace/nearest.h"
#include "ace/text.h"
#include "tests/autograd/table.h"
#include "tools/exit.h"
#include "tools/usage.h"

/// Checks every op, or those named on the command line, and prints one line each: what an auditor wants to see at a
/// glance. The cases are those of the tests (tests/autograd/table.h).
namespace {

using namespace autograd;

std::vector<Tensor> tensors_of(const Case& c, tensor::DType type) {
  std::vector<Tensor> inputs;
  for (const Array& x : c.inputs)
    inputs.push_back(Tensor::of<double>(x.shape, std::span<const double>(x.values)).to(type));
  return inputs;
}

std::vector<double> forward(const Case& c, tensor::DType type) {
  const NoGrad none;
  std::vector<Variable> x;
  for (const Tensor& input : tensors_of(c, type)) x.emplace_back(input);
  const Tensor y = c.call(x).value().to(tensor::DType::f64);
  const auto values = y.values<double>();
  return {values.begin(), values.end()};
}

double relative(const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]), norm += expected[i] * expected[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

/// The worst over all cases of an op.
bool report(const Row& row) {
  double f64 = 0, f32 = 0;
  GradcheckReport worst;
  int64_t entries = 0, cases = 0;
  for (const Case& c : row.cases()) {
    ++cases;
    const std::vector<double> exact = c.naive(c.inputs);
    f64 = std::fmax(f64, relative(forward(c, tensor::DType::f64), exact));
    f32 = std::fmax(f32, relative(forward(c, tensor::DType::f32), exact));
    if (c.large) continue;
    const GradcheckReport found = gradcheck(c.call, tensors_of(c, tensor::DType::f64));
    entries += found.entries;
    if (found.worst_excess >= worst.worst_excess) worst = found;
  }
  const bool ok = worst.worst_excess <= 1 && f64 < 1e-12 && f32 < 1e-5;
  fmt::print("{:<17}{:>6}{:>12}{:>14.1e}{:>14.1e}{:>14.1e}   {}\n", name_of(row.op), cases, entries,
             worst.worst_difference, f64, f32, ok ? "ok" : worst.worst);
  return ok;
}

std::vector<std::string_view> checked_ops() {
  std::vector<std::string_view> names;
  for (const Row& row : table) {
    if (row.op != Op::leaf) names.push_back(name_of(row.op));
  }
  return names;
}

int run(const std::vector<std::string_view>& asked) {
  const std::vector<std::string_view> ops = checked_ops();
  for (const std::string_view word : asked) {
    if (word == "--help" || word == "-h") {
      fmt::print("usage: gradcheck [OP ...]; without words all of them:\n  {}\n", fmt::join(ops, "\n  "));
      return 0;
    }
    if (std::ranges::find(ops, word) != ops.end()) continue;
    tools::fail_usage("no op {}; did you mean \"{}\"?", ace::quote(word), ace::nearest(word, ops));
  }
  fmt::print("{:<17}{:>6}{:>12}{:>14}{:>14}{:>14}\n", "op", "cases", "derivatives", "worst |a - n|", "f64 - naive",
             "f32 - naive");
  bool ok = true;
  for (const Row& row : table) {
    const auto& wanted = asked.empty() ? ops : asked;
    if (std::ranges::find(wanted, name_of(row.op)) != wanted.end()) ok = report(row) && ok;
  }
  fmt::print(
      "\nderivatives: entries of the full Jacobian, analytic (a) against central differences (n) in f64, of which "
      "each may differ by\n1e-7 + 1e-5 |n|; naive: loops in f64 that share nothing with the kernels, relative L2.\n");
  return ok ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  return tools::exit_code("gradcheck", [=] { return run({words + 1, words + count}); });
}
