#include "tests/simt/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "tests/simt/on_device.h"
#include "tests/simt/right.h"

namespace simt {
namespace {

std::vector<int> drawn(int n) {
  std::vector<int> values;
  for (int i = 0; i < n; ++i) values.push_back((i * 7919 + 13) % 1009);
  return values;
}
int sum_of(const std::vector<int>& x, int first, int n) {
  return std::accumulate(x.begin() + first, x.begin() + first + n, 0);
}

TEST(Runner, SumsBlocksThroughShufflesAndSharedMemory) {
  const auto x = drawn(5 * 96);
  const OnDevice<int> device_x(x), sums(std::vector<int>(5));
  right::block_sums(device_x, sums, 5);
  for (int b = 0; b < 5; ++b) EXPECT_EQ(sums.values()[size_t(b)], sum_of(x, b * 96, 96)) << b;
}

TEST(Runner, TheLastBlockSeesWhatOthersFenced) {
  const auto x = drawn(5 * 96);
  const OnDevice<int> device_x(x), partial(std::vector<int>(5)), sum(std::vector<int>(1));
  const OnDevice<unsigned> count(std::vector<unsigned>(1));
  right::last_block_sum(device_x, partial, count, sum, 5);
  EXPECT_EQ(sum.values()[0], sum_of(x, 0, 5 * 96));
}

TEST(Runner, PartsOfAWarpVoteByThemselves) {
  const OnDevice<unsigned> out(std::vector<unsigned>(64));
  right::votes(out);
  const auto found = out.values();
  for (unsigned t = 0; t < 64; ++t) {
    const unsigned lane = t % 32, odd = 0xaaaaaaaau;
    const unsigned expected = lane < 8 ? (odd ^ 8u) + 1 : lane < 16 ? (odd ^ 0xe000u) + 1 : odd + 1;
    EXPECT_EQ(found[t], expected) << t;
  }
}

TEST(Runner, ShufflesTakeFromTheirGroup) {
  const OnDevice<double> out(std::vector<double>(7 * 32));
  right::shuffles(out);
  const auto found = out.values();
  for (unsigned t = 0; t < 32; ++t) {
    const unsigned group = t / 8 * 8, in = t % 8;
    EXPECT_EQ(found[t], group + 3);
    EXPECT_EQ(found[32 + t], in < 2 ? t : t - 2);
    EXPECT_EQ(found[64 + t], in > 5 ? t : t + 2);
    EXPECT_EQ(found[96 + t], t ^ 5u);
    EXPECT_EQ(found[128 + t], (t + 1) % 32);
    EXPECT_EQ(found[160 + t], (t ^ 8u) >= group + 8 ? t : (t ^ 8u)) << "later groups cannot be read, earlier can";
    const int lowest = t == 0 ? 0 : __builtin_ctz(t) + 1, zeros = t == 0 ? 32 : __builtin_clz(t);
    EXPECT_EQ(found[192 + t], __builtin_popcount(t) + lowest + zeros);
  }
}

TEST(Runner, AtomicsCountWhileWarpsLeaveEarly) {
  const auto x = drawn(70);
  std::vector<int> expected(10);
  expected[8] = *std::min_element(x.begin(), x.end());
  expected[9] = *std::max_element(x.begin(), x.end());
  uint64_t bits = 0;
  for (const int v : x) ++expected[size_t(v % 8)], bits |= uint64_t(1) << v % 64;
  std::vector<int> before(10);
  before[8] = 1 << 30;
  const OnDevice<int> device_x(x), out(before);
  const OnDevice<unsigned long long> wide(std::vector<unsigned long long>(2));
  right::counts(device_x, 70, out, wide);
  EXPECT_EQ(out.values(), expected);
  EXPECT_EQ(wide.values()[0], bits);
  EXPECT_EQ(wide.values()[1], static_cast<unsigned long long>(expected[9]) << 33);
}

TEST(Runner, BlocksAndLanesRunInTheChosenOrder) {
  const OnDevice<unsigned> next(std::vector<unsigned>(1));
  const OnDevice<int> out(std::vector<int>(8));
  right::arrivals(next, out);
  auto found = out.values();
  const std::vector<int> forward = {0, 1, 2, 3, 4, 5, 6, 7};
  if (order() == Order::forward) {
    EXPECT_EQ(found, forward);
  }
  if (order() == Order::reverse) {
    EXPECT_EQ(found, std::vector<int>(forward.rbegin(), forward.rend()));
  }
  if (order() == Order::shuffled) {
    EXPECT_NE(found, forward);
  }
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, forward);
}

std::string line;  // of the last error

TEST(Runner, RefusesWhatACardRefuses) {
  const auto before = on_error;
  on_error = [](const std::string& text) { line = text; };
  const auto refused = [](unsigned grid, unsigned block, uint64_t shared_bytes, bool allow) {
    line.clear();
    right::nothing(grid, block, shared_bytes, allow);
    EXPECT_EQ(cudaGetLastError() == cudaSuccess, line.empty());
    return line;
  };
  EXPECT_EQ(refused(1, 1024, shared_default - shared_own, false), "");
  EXPECT_NE(refused(0, 32, 0, false).find("an empty grid (0, 1, 1)"), std::string::npos) << line;
  EXPECT_NE(refused(1, 1025, 0, false).find("a block of (1025, 1, 1) threads"), std::string::npos) << line;
  EXPECT_NE(refused(1, 32, shared_default - shared_own + 1, false).find("nothing_kernel"), std::string::npos) << line;
  EXPECT_NE(line.find("48897 bytes of shared memory; 48896 are allowed"), std::string::npos) << line;
  constexpr size_t most = shared_most - shared_own;
  EXPECT_EQ(refused(1, 32, most, true), "");
  EXPECT_NE(refused(1, 32, most + 1, false), "");
  EXPECT_EQ(
      cudaFuncSetAttribute(static_cast<const void*>(&line), cudaFuncAttributeMaxDynamicSharedMemorySize, int(most) + 1),
      cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  right::nothing(1, 32, shared_default - shared_own, true);  // as it was
  on_error = before;
}

TEST(Runner, CopiesCheckOnWhichSideTheirPointersAre) {
  const OnDevice<int> device(std::vector<int>(4));
  int host[4] = {};
  EXPECT_EQ(cudaMemcpy(device, host, sizeof host, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, device + 1, 4, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(cudaFree(host), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace simt
