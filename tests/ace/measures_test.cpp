#include "ace/measures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "tensor/error.h"

namespace ace {
namespace {

TEST(Measures, FirstRelevantIsTheBestOfSeveral) {
  const std::array<int32_t, 4> ranked = {7, 3, 5, 9};
  EXPECT_EQ(first_relevant(ranked, std::array<int32_t, 2>{9, 3}), 2);
  EXPECT_EQ(first_relevant(ranked, std::array<int32_t, 1>{7}), 1);
  EXPECT_EQ(first_relevant(ranked, std::array<int32_t, 1>{1}), 0);
  EXPECT_EQ(first_relevant({}, std::array<int32_t, 1>{1}), 0);
}

TEST(Measures, AnIdentifierWithoutItemKeepsItsRankAndIsAMiss) {
  const std::array<int32_t, 3> ranked = {-1, -1, 4};
  EXPECT_EQ(first_relevant(ranked, std::array<int32_t, 1>{4}), 3);
  EXPECT_EQ(first_relevant(ranked, std::array<int32_t, 1>{-1}), 0);
}

TEST(Measures, AveragesOverAllQueries) {
  const Measures m = measure(std::array<int64_t, 8>{1, 2, 5, 6, 10, 11, 0, 1});
  EXPECT_EQ(m.queries, 8);
  EXPECT_DOUBLE_EQ(m.recall_1, 2.0 / 8);
  EXPECT_DOUBLE_EQ(m.recall_5, 4.0 / 8);
  EXPECT_DOUBLE_EQ(m.recall_10, 6.0 / 8);
  EXPECT_DOUBLE_EQ(m.mrr_10, (1 + 0.5 + 0.2 + 1.0 / 6 + 0.1 + 1) / 8);
}

TEST(Measures, NoQueriesGiveZeros) {
  const Measures m = measure({});
  EXPECT_EQ(m.queries, 0);
  EXPECT_EQ(m.recall_10, 0);
  EXPECT_EQ(m.mrr_10, 0);
}

TEST(Measures, ANegativeRankIsRefused) { EXPECT_THROW(measure(std::array<int64_t, 1>{-1}), tensor::Error); }

/// The relevant item is equally likely at every rank of the pool: chance() must equal the mean over those.
TEST(Measures, ChanceIsTheMeanOverAllPlaces) {
  for (const int64_t pool : {1, 3, 9, 10, 11, 1000}) {
    std::vector<int64_t> ranks(static_cast<size_t>(pool));
    std::iota(ranks.begin(), ranks.end(), 1);
    const Measures expected = measure(ranks), found = chance(pool, 42);
    EXPECT_EQ(found.queries, 42);
    EXPECT_NEAR(found.recall_1, expected.recall_1, 1e-12) << pool;
    EXPECT_NEAR(found.recall_5, expected.recall_5, 1e-12) << pool;
    EXPECT_NEAR(found.recall_10, expected.recall_10, 1e-12) << pool;
    EXPECT_NEAR(found.mrr_10, expected.mrr_10, 1e-12) << pool;
  }
}

}  // namespace
}  // namespace ace
