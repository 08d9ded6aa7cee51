#include "kernels/attention.h"
#include "kernels/gemm.h"
#include "kernels/group_sums.h"
#include "kernels/layer_norm.h"
#include "kernels/optimizer.h"
#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

/// Sizes whose working memory is terabytes. The operands are not there: whatever was launched would fall over them.
TEST(WorkingMemory, ThatTheDeviceDoesNotHaveIsAnErrorAndNothingIsLaunched) {
  const Cuda cuda;
  const int64_t many = int64_t(1) << 20;
  float place = 0;
  const auto expect_short = [](const char* what, const auto& launch) {
    launch();
    const char* const error = Cuda::error();
    EXPECT_STREQ(error, "CUDA: working memory: out of memory") << what;
  };
  expect_short("by itself", [&] { EXPECT_EQ(cuda.scratch(0, many * many), nullptr); });
  expect_short("squares", [&] { gradient_squares<float>(cuda, nullptr, 0, 1024 * many * many, nullptr); });
  expect_short("named sums", [&] { group_sums(cuda, nullptr, nullptr, nullptr, many, 1, 16 * many); });
  expect_short("16-bit operands", [&] {
    const Matrix<float> x{nullptr, many};
    gemm(cuda, many, many, many, 1.0f, x, x, 0.0f, &place, many, {}, Precision::f16);
  });
  expect_short("layer norm", [&] {
    const float* const x = nullptr;
    layer_norm_backward(cuda, x, x, x, x, x, Grad<float>(), Grad<float>{&place}, Grad<float>(), 16 * many, many);
  });
  for (const int64_t width : {5, 64}) {
    expect_short("attention", [&] {
      const AttentionShape s{1, many, width, nullptr, nullptr, false, width, width, width, many, many};
      const float* const x = nullptr;
      attention_backward(cuda, s, x, x, x, x, x, x, Grad<float>{&place}, Grad<float>{&place}, Grad<float>{&place});
    });
  }
}

}  // namespace
}  // namespace kernels
