#include "kernels/feed.h"

#include <algorithm>

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

/// Two on their way at most, in their order; the third is longer, and needs more room.
TEST(CudaFeed, BringsWhatWasSentInItsOrder) {
  constexpr int lengths[] = {5, 4, 9, 8, 7, 6, 1};
  const Device<int> x(9);
  CudaFeed feed;
  const auto send = [&](int i) {
    int* const to = static_cast<int*>(feed.fill(lengths[i] * int64_t(sizeof(int))));
    ASSERT_NE(to, nullptr);
    std::fill_n(to, lengths[i], i);
    feed.send();
  };
  send(0);
  for (int i = 0; i < 6; ++i) {
    send(i + 1);
    feed.receive(x.data());
    const std::vector<int> found = x.values();
    EXPECT_EQ(std::count(found.begin(), found.begin() + lengths[i], i), lengths[i]) << i;
  }
}

}  // namespace
}  // namespace kernels
