#pragma once
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "autograd/functions.h"
#include "autograd/gradcheck.h"

/// The table from which every op is tested (ops_test.cpp): one row per enumerator of autograd::Op, each a list of
/// cases. To add an op: its cases in the file that fits, its line in `table`.
namespace autograd {

/// Numbers in f64 with their shape: what the naive references are written over.
struct Array {
  tensor::Shape shape;
  std::vector<double> values;
  int64_t rows() const { return shape.rows(); }
  int64_t cols() const { return shape.back(); }
  double operator()(int64_t i) const { return values[size_t(i)]; }
  double operator()(int64_t row, int64_t column) const { return values[size_t(row * cols() + column)]; }
};

/// n numbers between low and high that f32 holds exactly, so that both precisions see the same inputs. Ops with a kink
/// draw around it: |x − kink| ≥ away.
Array draw(const tensor::Shape& shape, uint64_t seed, double low = -2, double high = 2);
Array draw_around(double kink, double away, const tensor::Shape& shape, uint64_t seed, double low, double high);

/// keep_i / (1 − rate) of element i at a site, from the definition.
double dropout_factor(const DropoutSite& site, int64_t i);
/// A drawn site and one with a given mask for n elements.
std::vector<DropoutSite> dropout_sites(int64_t n);

struct Case {
  std::string name;
  std::vector<Array> inputs;
  Function call;
  /// The same by plain loops in f64, written from the formula and sharing nothing with the kernels.
  std::function<std::vector<double>(const std::vector<Array>&)> naive;
  /// Relative L2 between f32 and f64; 1e-6, or 1e-5 for long reductions and differences of nearly equal terms.
  double f32_limit = 1e-6;
  /// Too large for a full Jacobian; there so that several threads get work.
  bool large = false;
  /// How many of the last inputs are parameters: f32 where the others have 16 bits.
  size_t parameters = 0;
};

using Cases = std::vector<Case>;

// cases_elementwise.cpp
Cases leaf_cases();
Cases add_cases();
Cases sub_cases();
Cases mul_cases();
Cases div_cases();
Cases scale_cases();
Cases relu_cases();
Cases elu_cases();
Cases silu_cases();
Cases sigmoid_cases();
Cases tanh_cases();
Cases gelu_cases();
Cases dropout_cases();
// cases_products.cpp
Cases matmul_cases();
Cases linear_cases();
Cases attention_cases();
// cases_rows.cpp
Cases softmax_cases();
Cases log_softmax_cases();
Cases layer_norm_cases();
Cases cross_entropy_cases();
Cases bidirectional_kl_cases();
Cases squared_error_cases();
// cases_fused.cpp
Cases relu_dropout_cases();
Cases residual_norm_cases();
Cases gated_sum_cases();
Cases r_drop_cases();
// cases_shape.cpp
Cases embedding_cases();
Cases concat_cases();
Cases slice_cases();
Cases transpose_cases();
Cases reshape_cases();
Cases sum_cases();
Cases mean_cases();

struct Row {
  Op op;
  Cases (*cases)();
};

inline constexpr std::array table = {
    Row{Op::leaf, leaf_cases},
    Row{Op::add, add_cases},
    Row{Op::sub, sub_cases},
    Row{Op::mul, mul_cases},
    Row{Op::div, div_cases},
    Row{Op::scale, scale_cases},
    Row{Op::matmul, matmul_cases},
    Row{Op::linear, linear_cases},
    Row{Op::relu, relu_cases},
    Row{Op::elu, elu_cases},
    Row{Op::silu, silu_cases},
    Row{Op::sigmoid, sigmoid_cases},
    Row{Op::tanh, tanh_cases},
    Row{Op::gelu, gelu_cases},
    Row{Op::softmax, softmax_cases},
    Row{Op::log_softmax, log_softmax_cases},
    Row{Op::layer_norm, layer_norm_cases},
    Row{Op::embedding, embedding_cases},
    Row{Op::dropout, dropout_cases},
    Row{Op::concat, concat_cases},
    Row{Op::slice, slice_cases},
    Row{Op::transpose, transpose_cases},
    Row{Op::reshape, reshape_cases},
    Row{Op::sum, sum_cases},
    Row{Op::mean, mean_cases},
    Row{Op::attention, attention_cases},
    Row{Op::cross_entropy, cross_entropy_cases},
    Row{Op::bidirectional_kl, bidirectional_kl_cases},
    Row{Op::squared_error, squared_error_cases},
    Row{Op::relu_dropout, relu_dropout_cases},
    Row{Op::residual_norm, residual_norm_cases},
    Row{Op::gated_sum, gated_sum_cases},
    Row{Op::r_drop, r_drop_cases},
};

constexpr bool covers_every_op() {
  if (table.size() != size_t(Op::count)) return false;
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[i].op != Op(i) || name_of(Op(i)).empty()) return false;
  }
  return true;
}
static_assert(covers_every_op(), "every Op needs a name, and a row in the table, in the order of autograd/ops.h");

}  // namespace autograd
