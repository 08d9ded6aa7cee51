#include "nn/schedule.h"

#include <gtest/gtest.h>

namespace nn {
namespace {

TEST(Schedule, WarmUpClimbsInEqualStepsToThePeakAndStays) {
  // warmup 4, 1 → 9: 1 + 8 · (t + 1)/4
  EXPECT_DOUBLE_EQ(linear_warmup(0, 4, 1, 9), 3);
  EXPECT_DOUBLE_EQ(linear_warmup(1, 4, 1, 9), 5);
  EXPECT_DOUBLE_EQ(linear_warmup(2, 4, 1, 9), 7);
  EXPECT_DOUBLE_EQ(linear_warmup(3, 4, 1, 9), 9);
  EXPECT_DOUBLE_EQ(linear_warmup(1000, 4, 1, 9), 9);
  EXPECT_DOUBLE_EQ(linear_warmup(0, 0, 1, 9), 9) << "no warm-up: the peak at once";
}

TEST(Schedule, InverseSquareRootHalvesWhenTheStepsQuadruple) {
  EXPECT_DOUBLE_EQ(inverse_square_root(0, 4, 1, 9), 3);
  EXPECT_DOUBLE_EQ(inverse_square_root(3, 4, 1, 9), 9);
  EXPECT_DOUBLE_EQ(inverse_square_root(15, 4, 1, 9), 4.5);
  EXPECT_DOUBLE_EQ(inverse_square_root(63, 4, 1, 9), 2.25);
  EXPECT_DOUBLE_EQ(inverse_square_root(0, 0, 1, 9), 9);
  EXPECT_DOUBLE_EQ(inverse_square_root(3, 0, 1, 9), 4.5);
}

TEST(Schedule, CosineFallsFromThePeakToZeroAndRestarts) {
  // warmup 2, cycle 8, peak 4: ½ · 4 · (1 + cos(π s / 8))
  EXPECT_DOUBLE_EQ(cosine_restarts(0, 2, 8, 0, 4), 2);
  EXPECT_DOUBLE_EQ(cosine_restarts(1, 2, 8, 0, 4), 4);
  EXPECT_DOUBLE_EQ(cosine_restarts(2, 2, 8, 0, 4), 4);
  EXPECT_NEAR(cosine_restarts(4, 2, 8, 0, 4), 2 + std::sqrt(2.0), 1e-14);
  EXPECT_NEAR(cosine_restarts(6, 2, 8, 0, 4), 2, 1e-14);
  EXPECT_NEAR(cosine_restarts(9.999999, 2, 8, 0, 4), 0, 1e-12) << "the end of a cycle";
  EXPECT_DOUBLE_EQ(cosine_restarts(10, 2, 8, 0, 4), 4) << "and the next begins at the peak";
  EXPECT_NEAR(cosine_restarts(14, 2, 8, 0, 4), 2, 1e-14);
}

}  // namespace
}  // namespace nn
