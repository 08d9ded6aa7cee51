#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <thread>

#include "nn/attention.h"

namespace nn {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

TEST(Sequences, BeginAtTheirOffsetsAndCountPositionsAnew) {
  const Sequences s = Sequences::of_lengths(std::vector<int64_t>{3, 1, 2});
  const std::vector<int32_t> offsets = {0, 3, 4, 6}, positions = {0, 1, 2, 0, 0, 1};
  EXPECT_TRUE(std::equal(offsets.begin(), offsets.end(), s.offsets.data<int32_t>()));
  EXPECT_TRUE(std::equal(positions.begin(), positions.end(), s.positions.data<int32_t>()));
  EXPECT_EQ(s.count(), 3);
  EXPECT_EQ(s.rows(), 6);
}

TEST(TextBatch, PaddedHasDeadTextsBehindAndRowsOfFewNumbers) {
  EXPECT_EQ(step_of_rows(1), 32);
  EXPECT_EQ(step_of_rows(1500), 64);
  EXPECT_EQ(step_of_rows(6144), 256);
  for (const int64_t rows : {1, 31, 32, 1000, 1023, 1024, 5000}) {
    const TextBatch batch = TextBatch::pack(Texts{std::vector<int32_t>(size_t(rows), 5), {}});
    const TextBatch padded = batch.padded();
    const int64_t all = padded.sequences.rows(), step = step_of_rows(rows), dead = padded.dead;
    EXPECT_EQ(all % step, 0);
    EXPECT_LE(all, rows + step + dead);
    EXPECT_EQ(dead, std::max<int64_t>(step / 64, 1));
    EXPECT_EQ(padded.sequences.count(), 2 + dead);
    EXPECT_EQ(padded.sequences.longest, std::max<int64_t>(64, int64_t(std::bit_ceil(uint64_t(rows)))));
    for (int64_t r = 0; r < all; ++r) {
      EXPECT_EQ(padded.tokens.data<int32_t>()[r], r < rows ? 5 : 0);
      EXPECT_EQ(padded.sequences.positions.data<int32_t>()[r], r < rows ? r : 0);
    }
    const auto offsets = padded.sequences.offsets.values<int32_t>();
    EXPECT_EQ(offsets[2], rows);
    EXPECT_EQ(offsets.back(), all);
    for (size_t t = 2; t + 1 < offsets.size(); ++t) {
      EXPECT_GE(offsets[t + 1] - offsets[t], 1);
      EXPECT_LE(offsets[t + 1] - offsets[t], 66);
    }
  }
}

TEST(Positions, FollowTheirFormula) {
  const Tensor at = Tensor::of<int32_t>(Shape{3}, {0, 5, 61});
  for (const int64_t width : {1, 6, 7}) {
    const Variable table = sinusoidal_positions(at, 62, width, DType::f64);
    ASSERT_EQ(table.shape(), (Shape{3, width}));
    for (int64_t r = 0; r < 3; ++r) {
      const double t = at.data<int32_t>()[r];
      for (int64_t c = 0; c < width; ++c) {
        const double angle = t / std::pow(10000.0, double(c - c % 2) / double(width));
        EXPECT_NEAR(table.data<double>()[r * width + c], c % 2 ? std::cos(angle) : std::sin(angle), 1e-13);
      }
    }
    EXPECT_FALSE(table.requires_grad());
  }
}

TEST(Encoder, GivesEachTextOfAPackedBatchWhatItGivesTheTextAlone) {
  Initializer init(4, DType::f64);
  const Encoder encoder(20, 12, 3, 24, 3, init);
  const Texts texts = {{1, 2, 3, 4, 5, 6, 7}, {8}, {9, 9, 9}, {19, 1, 18, 2, 17, 3, 16, 4, 15, 5, 14}};
  const autograd::NoGrad inference;
  Pass pass;
  const TextBatch batch = TextBatch::pack(texts);
  const auto together = encoder.forward(batch, pass);
  ASSERT_EQ(together.size(), 3u);
  for (size_t b = 0; b < texts.size(); ++b) {
    const auto alone = encoder.forward(TextBatch::pack(std::span(&texts[b], 1)), pass);
    for (size_t l = 0; l < 3; ++l) {
      const double* rows = together[l].data<double>() + batch.sequences.offsets.data<int32_t>()[b] * 12;
      for (int64_t i = 0; i < alone[l].elements(); ++i) EXPECT_NEAR(alone[l].data<double>()[i], rows[i], 1e-12);
    }
  }
}

TEST(Encoder, GivesTheSameBitsInSeveralThreadsAtOnce) {
  Initializer init(4);
  const Encoder encoder(20, 32, 4, 64, 2, init);
  const TextBatch batch = TextBatch::pack(Texts{{1, 2, 3, 4, 5}, {6, 7}, {8, 9, 10, 11, 12, 13, 14}});
  const auto run = [&] {
    const autograd::NoGrad inference;
    Pass pass;
    return encoder.forward(batch, pass).back().value();
  };
  const Tensor expected = run();
  std::vector<int> equal(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const Tensor found = run();
        equal[t] += std::equal(found.data<float>(), found.data<float>() + found.elements(), expected.data<float>());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 20));
}

}  // namespace
}  // namespace nn
