#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/backend.h"

namespace {

constexpr int no_card = 77;  ///< ctest's and automake's code for a test that was skipped

}  // namespace

/// Runs the tests of CUDA kernels on the first card; without one says so in one line, and skips them all.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  if (const char* const missing = kernels::Cuda::missing()) {
    std::printf("skipped: %s\n", missing);
    return no_card;
  }
  std::printf("%s, compute capability %.1f\n", kernels::Cuda::name(), kernels::Cuda::capability() / 10.0);
  return RUN_ALL_TESTS();
}
