#include "tests/simt/planted.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "kernels/number.h"
#include "tests/simt/on_device.h"

// Each planted bug is found, with a line that says where it is; and the same kernel without it is right.
namespace planted {
namespace {

using simt::OnDevice;

std::vector<float> counting(int n) {
  std::vector<float> values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

using Reverse = void (*)(const float*, float*, int, Bug);

std::vector<float> reversed(Reverse reverse, int blocks, Bug bug) {
  const OnDevice<float> x(counting(64 * blocks)), y(std::vector<float>(size_t(64 * blocks)));
  reverse(x, y, blocks, bug);
  return y.values();
}
std::vector<float> summed(Bug bug) {
  const OnDevice<float> x(counting(64)), y(std::vector<float>(64));
  sum_warps(x, y, bug);
  return y.values();
}
std::vector<float> copied(Bug bug) {
  const OnDevice<float> x(counting(68)), y(std::vector<float>(64));
  copy_vectors(x, y, bug);
  return y.values();
}

/// a [16, 16] with leading dimension 24, b [16, 16] transposed, both small integers.
uint16_t a_at(int r, int c) { return kernels::f16(float((r * 5 + c * 3) % 7 - 3)).bits; }
uint16_t b_at(int r, int c) { return kernels::f16(float((r * 2 + c * 7) % 5 - 2)).bits; }
std::vector<float> multiplied(Bug bug) {
  std::vector<uint16_t> a(16 * 24), b(16 * 16);
  for (int r = 0; r < 16; ++r) {
    for (int c = 0; c < 16; ++c) a[size_t(r * 24 + c)] = a_at(r, c), b[size_t(c * 16 + r)] = b_at(r, c);
  }
  const OnDevice<uint16_t> device_a(a), device_b(b);
  const OnDevice<float> y(std::vector<float>(256));
  multiply(device_a, device_b, y, bug);
  return y.values();
}

/// Runs it in a process of its own, which the sanitizer or the runner must end with `message`; a race ends it with 66.
template <class Run>
void expect_found(const char* message, const Run& run) {
  EXPECT_DEATH(
      {
        simt::on_error = [](const std::string& line) {
          std::fprintf(stderr, "%s\n", line.c_str());
          std::abort();
        };
        run();
        std::exit(0);  // the thread sanitizer makes it 66 after a report
      },
      message);
}

TEST(Planted, WithoutABugAllIsRight) {
  for (const Reverse reverse : {reverse_blocks, reverse_blocks_dynamic, reverse_blocks_template}) {
    const auto found = reversed(reverse, 3, Bug::none);
    for (int i = 0; i < 192; ++i) EXPECT_EQ(found[size_t(i)], float(i / 64 * 64 + 64 - i % 64)) << i;
  }
  const auto sums = summed(Bug::none);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(sums[size_t(i)], i < 32 ? 32 * 33 / 2 : 64 * 65 / 2 - 32 * 33 / 2) << i;
  EXPECT_EQ(copied(Bug::none)[63], 64);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST(Planted, AProductOfFragmentsIsThePlainLoops) {
  const auto found = multiplied(Bug::none);
  for (int r = 0; r < 16; ++r) {
    for (int c = 0; c < 16; ++c) {
      float sum = 0;
      for (int k = 0; k < 16; ++k) {
        sum += float(std::bit_cast<kernels::f16>(a_at(r, k))) * float(std::bit_cast<kernels::f16>(b_at(k, c)));
      }
      EXPECT_EQ(found[size_t(r * 16 + c)], 2 * sum) << r << ", " << c;
    }
  }
}

#ifndef SIMT_TSAN
TEST(Planted, AStepOutsideIsFound) {
  expect_found("heap-buffer-overflow.*READ of size 4.*planted.cu",
               [] { reversed(reverse_blocks, 2, Bug::read_past_end); });
  expect_found("heap-buffer-overflow.*WRITE of size 4.*planted.cu",
               [] { reversed(reverse_blocks, 2, Bug::write_past_end); });
  expect_found("global-buffer-overflow.*WRITE of size 4.*planted.cu",
               [] { reversed(reverse_blocks, 2, Bug::static_past_end); });
  expect_found("heap-buffer-overflow.*WRITE of size 4.*planted.cu",
               [] { reversed(reverse_blocks_dynamic, 2, Bug::dynamic_past_end); });
  expect_found("planted.cu:.*index 64 out of bounds for type 'float .64.'",
               [] { reversed(reverse_blocks_template, 2, Bug::template_past_end); });
  expect_found("planted.cu.*misaligned address", [] { copied(Bug::misaligned_vector); });
}

/// What was read too early is NaN, in each block: no block sees the shared memory of another.
TEST(Planted, AMissingBarrierGivesAWrongResult) {
  for (const Reverse reverse : {reverse_blocks, reverse_blocks_dynamic}) {
    const auto found = reversed(reverse, 2, Bug::no_barrier);
    for (int b = 0; b < 2; ++b) {
      const auto block = found.begin() + 64 * b;
      EXPECT_TRUE(std::any_of(block, block + 64, [](float v) { return std::isnan(v); })) << b;
    }
  }
}
#else
TEST(Planted, AMissingBarrierIsARace) {
  expect_found("data race.*planted.cu", [] { reversed(reverse_blocks, 1, Bug::no_barrier); });
  expect_found("data race.*planted.cu", [] { reversed(reverse_blocks_dynamic, 1, Bug::no_barrier); });
}

TEST(Planted, BlocksThatWriteTheSameRace) {
  expect_found("data race.*planted.cu", [] { reversed(reverse_blocks, 2, Bug::overlapping_blocks); });
  expect_found("data race.*planted.cu", [] { reversed(reverse_blocks_dynamic, 2, Bug::overlapping_blocks); });
  expect_found("data race.*planted.cu", [] { reversed(reverse_blocks, 3, Bug::overlapping_ends); });
}
#endif

TEST(Planted, ABarrierThatNotAllReachIsAnError) {
  expect_found(
      "simt: reverse, block .*thread .*planted.cu:[0-9]+: __syncthreads is reached by 63 of 64 threads: "
      "thread .5, 0, 0. has ended",
      [] { reversed(reverse_blocks, 1, Bug::divergent_barrier); });
  expect_found("__syncthreads is reached by 32 of 64 threads: thread .*waits at __syncthreads, .*planted.cu:",
               [] { reversed(reverse_blocks, 1, Bug::two_barriers); });
}

TEST(Planted, AWarpThatDoesNotComeTogetherIsAnError) {
  expect_found(
      "__shfl_xor_sync is reached by 31 of the 32 lanes in its mask 0xffffffff: thread .3, 0, 0. waits at "
      "__syncthreads",
      [] { summed(Bug::missing_lane); });
  expect_found("__shfl_xor_sync is reached by .*mask 0xffff", [] { summed(Bug::two_masks); });
  expect_found("31 of the 32 lanes in its mask 0xffffffff: thread .40, 0, 0. has ended",
               [] { summed(Bug::ended_lane); });
}

TEST(Planted, AMatrixThatLiesWrongIsAnError) {
  expect_found("multiply.*planted.cu:[0-9]+: load_matrix_sync: the pointer is not at a multiple of 32 bytes",
               [] { multiplied(Bug::misaligned_matrix); });
  expect_found("load_matrix_sync: the leading dimension, 20, is not a multiple of 8",
               [] { multiplied(Bug::wrong_leading_dimension); });
}

}  // namespace
}  // namespace planted
