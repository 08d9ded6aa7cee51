#include "kernels/graph.h"

#include "kernels/gemm.h"
#include "kernels/reduce.h"
#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

/// A product, a sum that takes scratch memory, a copy and a clear: done once they are started, with what is then there.
TEST(CudaGraph, DoesWhatWasQueuedWithTheNumbersOfTheMoment) {
  const Cuda cuda;
  const int64_t m = 40, n = 8, k = 12;
  const Device<float> a(m * k), b(draw<float>(k * n, 1)), c(m * n), kept(m * n), sums(n);
  const auto queue = [&] {
    gemm(cuda, m, n, k, 1.0f, Matrix<float>{a.data(), k}, Matrix<float>{b.data(), n}, 0.0f, c.data(), n);
    cuda.copy(kept.data(), c.data(), m * n * int64_t(sizeof(float)));
    sum_rows(cuda, c.data(), n, Grad<float>{sums.data()}, m, n);
    cuda.clear(c.data(), m * n * int64_t(sizeof(float)));
  };
  CudaGraph graph;
  queue();  // loads kernels and makes room
  graph.begin();
  queue();
  graph.end();
  for (const uint64_t seed : {2, 3}) {
    const std::vector<float> values = draw<float>(m * k, seed);
    cuda.upload(a.data(), values.data(), m * k * int64_t(sizeof(float)));
    queue();
    const std::vector<float> product = kept.values(), total = sums.values();
    const std::vector<uint8_t> ones(size_t(m * n) * sizeof(float), 0xff);
    for (float* const x : {kept.data(), c.data()}) cuda.upload(x, ones.data(), int64_t(ones.size()));
    graph.launch();
    EXPECT_EQ(kept.values(), product);
    EXPECT_EQ(sums.values(), total);
    EXPECT_EQ(c.values(), std::vector<float>(size_t(m * n)));
  }
}

TEST(CudaGraph, OutlivesAScratchThatGrows) {
  const Cuda cuda;
  const int64_t rows = 5000, cols = 2;  // so tall that its sums are put together from pieces
  const Device<float> x(draw<float>(rows * cols, 1)), sums(cols);
  const auto queue = [&] { sum_rows(cuda, x.data(), cols, Grad<float>{sums.data()}, rows, cols); };
  queue();
  const std::vector<float> expected = sums.values();
  CudaGraph graph;
  graph.begin();
  queue();
  graph.end();
  cuda.scratch(0, int64_t(1) << 24);
  graph.launch();
  EXPECT_EQ(sums.values(), expected);
}

TEST(CudaGraph, ASpoiltRecordingSaysSoAndDoesNothing) {
  const Cuda cuda;
  const Device<float> x(std::vector<float>(4, 1.0f));
  CudaGraph graph;
  graph.begin();
  cuda.clear(x.data(), 16);
  cuda.synchronize();
  graph.end();
  const char* const error = Cuda::error();
  ASSERT_NE(error, nullptr);
  EXPECT_STREQ(error, "CUDA: kernel: operation not permitted when stream is capturing");
  graph.launch();
  EXPECT_EQ(x.values(), std::vector<float>(4, 1.0f));
}

}  // namespace
}  // namespace kernels
