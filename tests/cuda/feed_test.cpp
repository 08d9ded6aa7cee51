#include "kernels/feed.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

/// Two on their way at most, in their order, each longer than the one before.
TEST(CudaFeed, BringsWhatWasSentInItsOrder) {
  CudaFeed feed;
  const auto send = [&](int value) {
    const int64_t n = 3 + value;
    int* const to = static_cast<int*>(feed.fill(n * int64_t(sizeof(int))));
    ASSERT_NE(to, nullptr);
    std::fill_n(to, n, value);
    feed.send();
  };
  send(0);
  for (int i = 0; i < 5; ++i) {
    send(i + 1);
    const Device<int> x(3 + i);
    feed.receive(x.data());
    EXPECT_EQ(x.values(), std::vector<int>(size_t(3 + i), i));
  }
}

}  // namespace
}  // namespace kernels
