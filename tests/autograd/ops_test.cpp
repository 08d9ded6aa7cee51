#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>

#include "kernels/backend.h"
#include "tensor/allocator.h"
#include "tests/autograd/table.h"

/// What every op must hold, for every case of its row in the table.
namespace autograd {

void PrintTo(const Row& row, std::ostream* out) { *out << name_of(row.op); }

namespace {

using tensor::DType;

Tensor tensor_of(const Array& x, DType type) {
  return Tensor::of<double>(x.shape, std::span<const double>(x.values)).to(type);
}

std::vector<double> numbers(const Tensor& x) {
  const Tensor wide = x.to(DType::f64);
  const auto values = wide.values<double>();
  return {values.begin(), values.end()};
}

/// ‖found − expected‖ / ‖expected‖, NaN if one is anywhere.
double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]), norm += expected[i] * expected[i];
  }
  // What is zero by its formula (the gradient of a softmax over one column) may round to something tiny: against 1.
  const double ones = double(expected.size());
  return difference == 0 ? 0 : std::sqrt(difference / (norm > 1e-12 * ones ? norm : ones));
}

/// All small blocks of the allocator, filled with bytes that are NaN in every float type: results and gradients start
/// out poisoned, and so does what lies behind them in their blocks.
void poison_memory() {
  std::vector<Tensor> blocks;
  for (int64_t bytes = 64; bytes <= 64 << 10; bytes = tensor::block_size(bytes + 1)) {
    for (int i = 0; i < 12; ++i) {
      blocks.emplace_back(tensor::Shape{bytes}, DType::u8);
      std::memset(blocks.back().raw(), 0xff, size_t(bytes));
    }
  }
}

/// Nothing was written behind the tensor's end in its block. (With the address sanitizer the allocator itself guards
/// that.) `others`: tensors made before the memory was poisoned, which x may share.
void expect_guard_intact([[maybe_unused]] const Tensor& x, [[maybe_unused]] std::span<const Tensor> others) {
#if !defined(__SANITIZE_ADDRESS__)
  const int64_t bytes = x.bytes(), end = tensor::block_size(bytes);
  const bool shared = std::any_of(others.begin(), others.end(), [&](const Tensor& t) { return t.raw() == x.raw(); });
  if (shared || end > 64 << 10) return;
  for (int64_t i = bytes; i < end; ++i) {
    ASSERT_EQ(static_cast<const unsigned char*>(x.raw())[i], 0xff) << "byte " << i << " of " << bytes;
  }
#endif
}

tensor::Shape shape_of(const Case& c, std::span<const Variable> x) {
  const NoGrad none;
  return c.call(x).shape();
}

struct Result {
  std::vector<Variable> x;
  Tensor y;
  std::vector<Tensor> dx;
  std::vector<Tensor> given;  ///< the inputs' values and dL/dy
};

/// Forward, then backward from a drawn dL/dy, into poisoned memory. `wanted`: which inputs require a gradient (empty:
/// all).
Result run(const Case& c, DType type, const std::vector<bool>& wanted = {}, int times = 1) {
  Result result;
  for (size_t k = 0; k < c.inputs.size(); ++k) {
    result.x.emplace_back(tensor_of(c.inputs[k], type), wanted.empty() || wanted[k]);
  }
  const Tensor dy = tensor_of(draw(shape_of(c, result.x), 99), type);
  poison_memory();
  for (int i = 0; i < times; ++i) {
    const Variable y = c.call(result.x);
    y.backward(dy);
    result.y = y.value();
  }
  for (const Variable& x : result.x) result.dx.push_back(x.gradient()), result.given.push_back(x.value());
  result.given.push_back(dy);
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), size_t(a.bytes())) == 0);
}

class EveryOp : public testing::TestWithParam<Row> {
 protected:
  /// Calls f with each case of the row.
  template <class F>
  void for_cases(const F& f) {
    const Cases cases = GetParam().cases();
    ASSERT_FALSE(cases.empty());
    for (const Case& c : cases) {
      SCOPED_TRACE(fmt::format("{} {}", name_of(GetParam().op), c.name));
      f(c);
    }
  }
};

const auto op_name = [](const auto& info) { return std::string(name_of(info.param.op)); };
INSTANTIATE_TEST_SUITE_P(Op, EveryOp, testing::ValuesIn(table), op_name);

TEST_P(EveryOp, IsTheNaiveLoopInF64) {
  for_cases([](const Case& c) {
    const NoGrad none;
    std::vector<Variable> x;
    std::vector<Tensor> given;
    for (const Array& input : c.inputs) x.emplace_back(given.emplace_back(tensor_of(input, DType::f64)));
    poison_memory();
    const Tensor y = c.call(x).value();
    expect_guard_intact(y, given);
    EXPECT_LE(relative_error(numbers(y), c.naive(c.inputs)), 1e-12);
  });
}

TEST_P(EveryOp, HasTheJacobianOfItsValue) {
  for_cases([](const Case& c) {
    if (c.large) return;
    std::vector<Tensor> inputs;
    for (const Array& input : c.inputs) inputs.push_back(tensor_of(input, DType::f64));
    const GradcheckReport report = gradcheck(c.call, inputs);
    int64_t input_elements = 0;
    for (const Array& input : c.inputs) input_elements += int64_t(input.values.size());
    EXPECT_EQ(report.entries, input_elements * int64_t(c.naive(c.inputs).size()));
    EXPECT_LE(report.worst_excess, 1) << report.worst;
  });
}

TEST_P(EveryOp, InF32IsF64ToSixDigits) {
  for_cases([](const Case& c) {
    const Result narrow = run(c, DType::f32), wide = run(c, DType::f64);
    expect_guard_intact(narrow.y, narrow.given);
    EXPECT_LE(relative_error(numbers(narrow.y), numbers(wide.y)), c.f32_limit);
    for (size_t k = 0; k < c.inputs.size(); ++k) {
      expect_guard_intact(narrow.dx[k], narrow.given);
      EXPECT_LE(relative_error(numbers(narrow.dx[k]), numbers(wide.dx[k])), c.f32_limit) << "gradient of input " << k;
    }
  });
}

TEST_P(EveryOp, ComputesTheSameGradientWhenOnlyOneIsWanted) {
  for_cases([](const Case& c) {
    const Result all = run(c, DType::f64);
    for (size_t k = 0; k < c.inputs.size(); ++k) {
      std::vector<bool> wanted(c.inputs.size(), false);
      wanted[k] = true;
      const Result one = run(c, DType::f64, wanted);
      EXPECT_TRUE(same_bits(one.dx[k], all.dx[k])) << "input " << k;
      for (size_t other = 0; other < c.inputs.size(); ++other) {
        EXPECT_EQ(one.dx[other].defined(), other == k) << "input " << other;
      }
    }
  });
}

void expect_gradients_of_both(const Case& c, size_t i, size_t j) {
  SCOPED_TRACE(fmt::format("{}, inputs {} and {}", c.name, i, j));
  Case same = c;
  same.inputs[i] = same.inputs[j];
  const Result apart = run(same, DType::f64);
  std::vector<double> expected = numbers(apart.dx[i]);
  const std::vector<double> second = numbers(apart.dx[j]);
  for (size_t k = 0; k < expected.size(); ++k) expected[k] += second[k];
  std::vector<Variable> x = apart.x;
  x[i] = x[j] = Variable(tensor_of(same.inputs[j], DType::f64), true);
  const Tensor dy = tensor_of(draw(apart.y.shape(), 99), DType::f64);
  poison_memory();
  c.call(x).backward(dy);
  EXPECT_LE(relative_error(numbers(x[i].gradient()), expected), 1e-12);
}

TEST(EveryOpOfTwo, AddsTheGradientsOfAnInputThatComesTwice) {
  for (const Row& row : table) {
    SCOPED_TRACE(name_of(row.op));
    for (const Case& c : row.cases()) {
      for (size_t j = 1; j < c.inputs.size(); ++j) {
        for (size_t i = 0; i < j; ++i) {
          if (c.inputs[i].shape == c.inputs[j].shape) expect_gradients_of_both(c, i, j);
        }
      }
    }
  }
}

TEST_P(EveryOp, AddsUpGradientsOverBackwardCalls) {
  for_cases([](const Case& c) {
    const Result once = run(c, DType::f64), thrice = run(c, DType::f64, {}, 3);
    for (size_t k = 0; k < c.inputs.size(); ++k) {
      std::vector<double> expected = numbers(once.dx[k]);
      for (double& value : expected) value *= 3;
      EXPECT_LE(relative_error(numbers(thrice.dx[k]), expected), 1e-12) << "input " << k;
    }
  });
}

TEST_P(EveryOp, GivesTheSameBitsTwice) {
  for_cases([](const Case& c) {
    const Result first = run(c, DType::f32), second = run(c, DType::f32);
    EXPECT_TRUE(same_bits(first.y, second.y));
    for (size_t k = 0; k < c.inputs.size(); ++k) EXPECT_TRUE(same_bits(first.dx[k], second.dx[k])) << "input " << k;
  });
}

TEST_P(EveryOp, GivesTheSameBitsForAnyNumberOfThreads) {
  for_cases([](const Case& c) {
    kernels::set_threads(1);
    const Result one = run(c, DType::f32);
    for (const int threads : {2, 3}) {
      kernels::set_threads(threads);
      const Result many = run(c, DType::f32);
      EXPECT_TRUE(same_bits(one.y, many.y)) << threads << " threads";
      for (size_t k = 0; k < c.inputs.size(); ++k) {
        EXPECT_TRUE(same_bits(one.dx[k], many.dx[k])) << "input " << k << ", " << threads << " threads";
      }
    }
    kernels::set_threads(0);
  });
}

TEST_P(EveryOp, LeavesItsInputsAlone) {
  for_cases([](const Case& c) {
    const Result result = run(c, DType::f64);
    for (size_t k = 0; k < c.inputs.size(); ++k) EXPECT_EQ(numbers(result.x[k].value()), c.inputs[k].values);
  });
}

TEST_P(EveryOp, RecordsNoTapeUnderNoGrad) {
  for_cases([](const Case& c) {
    std::vector<Variable> x;
    for (const Array& input : c.inputs) x.emplace_back(tensor_of(input, DType::f64), true);
    const Tensor taped = c.call(x).value();
    const NoGrad none;
    const Variable y = c.call(x);
    EXPECT_TRUE(same_bits(y.value(), taped));
    EXPECT_EQ(y.requires_grad(), y.node() == x[0].node()) << "only an op that does nothing gives back its input";
  });
}

}  // namespace
}  // namespace autograd
