#include "kernels/timer.h"

#include "kernels/softmax.h"
#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

/// More work between the marks takes longer, and the marks do not disturb what lies between them.
TEST(CudaTimer, SeesTheWorkBetweenItsMarks) {
  const Cuda cuda;
  const int64_t rows = 4, cols = 64;
  const Device<float> x(draw<float>(rows * cols, 1)), y(rows * cols);
  const CudaTimer timer;
  const auto seconds = [&](int calls) {
    timer.begin();
    for (int i = 0; i < calls; ++i) softmax(cuda, x.data(), y.data(), rows, cols);
    timer.end();
    return timer.seconds();
  };
  seconds(1);  // the first start of a kernel loads it
  const double few = seconds(1), many = seconds(64);
  EXPECT_GT(few, 0);
  EXPECT_GT(many, few);
  std::vector<double> expected(size_t(rows * cols));
  softmax(Cpu(), as<double>(x.values()).data(), expected.data(), rows, cols);
  EXPECT_LE(relative_error(y.values(), expected), device_tolerance<float>);
}

}  // namespace
}  // namespace kernels
