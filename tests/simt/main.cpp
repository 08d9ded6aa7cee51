#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "kernels/backend.h"
#include "tests/simt/host_api.h"

namespace {

/// A race that the thread sanitizer reported fails the test during which it was seen.
class RacesFail : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { before_ = simt::races_seen(); }
  void OnTestEnd(const testing::TestInfo&) override {
    EXPECT_EQ(simt::races_seen() - before_, 0) << "data races, see above";
  }
  int before_ = 0;
};

}  // namespace

/// Runs all tests with blocks and lanes in each order, or in the one that --order=forward|reverse|shuffled names. In
/// forward order alone the card is of compute capability 7.0, else of 8.0, which has bf16.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new RacesFail);
  simt::on_error = [](const std::string& line) { ADD_FAILURE() << line; };
  kernels::set_threads(1);  // the CPU twins are not instrumented: their threads would be strangers to the sanitizers
  const char* const names[] = {"forward", "reverse", "shuffled"};
  const auto wanted = [&](int i) { return argc == 1 || argv[1] == std::string("--order=") + names[i]; };
  if (argc > 2 || !(wanted(0) || wanted(1) || wanted(2))) {
    std::fprintf(stderr, "expected --order=forward, reverse or shuffled, found %s\n", argv[argc - 1]);
    return 2;
  }
  simt::set_capability(argc > 1 && wanted(0) ? 7 : 8, 0);
  int result = 0;
  for (int i = 0; i < 3; ++i) {
    if (!wanted(i)) continue;
    simt::set_order(simt::Order(i));
    std::printf("order: %s\n", names[i]);
    result |= RUN_ALL_TESTS();
  }
  return result;
}
