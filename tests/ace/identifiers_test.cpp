#include "ace/identifiers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "ace/lexicographic.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace ace {
namespace {

using Row = std::vector<int32_t>;

tensor::Tensor draw_prefixes(uint64_t seed, int64_t items, const std::vector<int64_t>& vocabulary) {
  tensor::Random random(seed);
  std::vector<int32_t> values;
  for (int64_t i = 0; i < items; ++i) {
    for (int64_t size : vocabulary) values.push_back(int32_t(random.below(size)));
  }
  return tensor::Tensor::of<int32_t>({items, int64_t(vocabulary.size())}, values);
}

Row row_of(const Identifiers& identifiers, int64_t item) {
  const auto row = identifiers.row(item);
  return Row(row.begin(), row.end());
}

TEST(AddUnique, CountsEarlierItemsWithTheSamePrefix) {
  const tensor::Tensor prefixes = tensor::Tensor::of<int32_t>({5, 2}, {1, 0, 0, 2, 1, 0, 1, 1, 1, 0});
  const Identifiers identifiers = add_unique(prefixes, {2, 3}, 128);
  EXPECT_EQ(identifiers.vocabulary, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(row_of(identifiers, 0), (Row{1, 0, 0}));
  EXPECT_EQ(row_of(identifiers, 1), (Row{0, 2, 0}));
  EXPECT_EQ(row_of(identifiers, 2), (Row{1, 0, 1}));
  EXPECT_EQ(row_of(identifiers, 3), (Row{1, 1, 0}));
  EXPECT_EQ(row_of(identifiers, 4), (Row{1, 0, 2}));
}

TEST(AddUnique, TheVocabularyIsThePowerOfTwoAboveTheLargestCounter) {
  const std::map<int64_t, int64_t> expected = {{1, 4}, {4, 4}, {5, 8}, {8, 8}, {9, 16}, {128, 128}};
  for (const auto& [items, size] : expected) {
    const Identifiers identifiers = add_unique(draw_prefixes(1, items, {1}), {1}, 128);
    EXPECT_EQ(identifiers.vocabulary, (std::vector<int64_t>{1, size})) << items;
  }
}

TEST(AddUnique, LargerBucketsAreCountedInSeveralDigitsMostSignificantFirst) {
  const Identifiers two = add_unique(draw_prefixes(1, 129, {1}), {1}, 128);
  EXPECT_EQ(two.vocabulary, (std::vector<int64_t>{1, 128, 128}));
  EXPECT_EQ(row_of(two, 127), (Row{0, 0, 127}));
  EXPECT_EQ(row_of(two, 128), (Row{0, 1, 0}));
  const Identifiers three = add_unique(draw_prefixes(1, 17, {1}), {1}, 4);
  EXPECT_EQ(three.vocabulary, (std::vector<int64_t>{1, 4, 4, 4}));
  EXPECT_EQ(row_of(three, 16), (Row{0, 1, 0, 0}));
  EXPECT_EQ(row_of(three, 7), (Row{0, 0, 1, 3}));
  EXPECT_EQ(add_unique(draw_prefixes(1, 3, {1}), {1}, 2).vocabulary, (std::vector<int64_t>{1, 2, 2}));
}

TEST(AddUnique, RandomTablesEqualTheIdTableKeptItemByItem) {
  for (uint64_t seed : {1, 2, 3}) {
    const std::vector<int64_t> vocabulary = {4, 3, 5};
    const tensor::Tensor prefixes = draw_prefixes(seed, 500, vocabulary);
    const Identifiers identifiers = add_unique(prefixes, vocabulary, 8);
    std::map<Row, int64_t> counters;
    std::set<Row> seen;
    for (int64_t i = 0; i < 500; ++i) {
      const Row row = row_of(identifiers, i);
      EXPECT_TRUE(seen.insert(row).second);
      int64_t counter = 0;
      for (size_t j = 3; j < row.size(); ++j) counter = counter * identifiers.vocabulary[j] + row[j];
      EXPECT_EQ(counter, counters[Row(row.begin(), row.begin() + 3)]++);
    }
  }
}

TEST(AddUnique, WrongTablesAreRefused) {
  EXPECT_THROW(add_unique(draw_prefixes(1, 5, {9}), {2}, 128), tensor::Error);
  EXPECT_THROW(add_unique(draw_prefixes(1, 5, {2}), {2, 2}, 128), tensor::Error);
  EXPECT_THROW(add_unique(draw_prefixes(1, 5, {2}), {2}, 100), tensor::Error);
  EXPECT_THROW(add_unique(draw_prefixes(1, 5, {2}), {2}, 1), tensor::Error);
}

TEST(LexicographicOrder, IsTheStableSortOfTheRows) {
  for (const std::vector<int64_t>& vocabulary :
       std::vector<std::vector<int64_t>>{{3, 2}, {1}, {1 << 30}, {2, 1 << 17, 300}, {65536, 65537}}) {
    const tensor::Tensor tokens = draw_prefixes(9, 400, vocabulary);
    const Identifiers identifiers{tokens, vocabulary};
    std::vector<int32_t> expected, some;
    for (int32_t i = 0; i < 400; ++i) (i % 3 == 0 ? some : expected).push_back(i);
    const auto before = [&](int32_t a, int32_t b) { return row_of(identifiers, a) < row_of(identifiers, b); };
    std::stable_sort(some.begin(), some.end(), before);
    std::vector<int32_t> ascending = some;
    std::sort(ascending.begin(), ascending.end());
    const LexicographicOrder order(tokens, identifiers.positions(), ascending);
    ASSERT_EQ(order.size(), int64_t(some.size()));
    for (int64_t i = 0; i < order.size(); ++i) {
      const Row row = row_of(identifiers, some[size_t(i)]);
      EXPECT_EQ(order.item(i), some[size_t(i)]);
      for (size_t j = 0; j < row.size(); ++j) EXPECT_EQ(order.token(i, int64_t(j)), row[j]);
      if (i == 0) continue;
      const Row before = row_of(identifiers, some[size_t(i - 1)]);
      EXPECT_EQ(order.shared(i), std::mismatch(row.begin(), row.end(), before.begin()).first - row.begin());
    }
  }
}

TEST(Quality, DescribesHowEvenlyEachCodeIsUsed) {
  // Position 0: tokens 0, 0, 1, 1 of 4; position 1: always 2 of 3.
  const tensor::Tensor prefixes = tensor::Tensor::of<int32_t>({4, 2}, {0, 2, 0, 2, 1, 2, 1, 2});
  const IdentifierQuality quality = identifier_quality(add_unique(prefixes, {4, 3}, 128), 2);
  EXPECT_EQ(quality.items, 4);
  ASSERT_EQ(quality.positions.size(), 2u);
  EXPECT_EQ(quality.positions[0].entries, 4);
  EXPECT_EQ(quality.positions[0].used, 2);
  EXPECT_EQ(quality.positions[0].dead(), 2);
  EXPECT_DOUBLE_EQ(quality.positions[0].coverage(), 0.5);
  EXPECT_NEAR(quality.positions[0].perplexity, 2, 1e-12);
  EXPECT_NEAR(quality.positions[0].entropy_ratio, 0.5, 1e-12);
  EXPECT_NEAR(quality.positions[1].perplexity, 1, 1e-12);
  EXPECT_NEAR(quality.positions[1].entropy_ratio, 0, 1e-12);
  EXPECT_EQ(quality.capacity, 12);
}

TEST(Quality, CountsTheItemsThatShareAPrefix) {
  const tensor::Tensor prefixes = tensor::Tensor::of<int32_t>({6, 1}, {3, 1, 3, 0, 3, 1});
  const IdentifierQuality quality = identifier_quality(add_unique(prefixes, {4}, 128), 1);
  EXPECT_EQ(quality.largest_bucket, 3);
  EXPECT_NEAR(quality.collision_rate, 5.0 / 6, 1e-12);
  const IdentifierQuality whole = identifier_quality(add_unique(prefixes, {4}, 128), 2);
  EXPECT_EQ(whole.largest_bucket, 1);
  EXPECT_EQ(whole.collision_rate, 0);
}

TEST(Quality, AVocabularyOfOneIsFullyUsed) {
  const IdentifierQuality quality = identifier_quality(add_unique(draw_prefixes(1, 1, {1}), {1}, 128), 1);
  EXPECT_EQ(quality.positions[0].entropy_ratio, 1);
  EXPECT_EQ(quality.advice, "");
}

TEST(Quality, AGridThatIsLargeEnoughNeedsNoAdvice) {
  EXPECT_EQ(identifier_quality(add_unique(draw_prefixes(1, 1000, {32, 32, 32}), {32, 32, 32}, 128), 3).advice, "");
}

TEST(Quality, AdviceForAGridThatIsTooSmallNamesSettingsThatWouldDo) {
  const Identifiers small = add_unique(draw_prefixes(1, 1000, {8, 8, 8}), {8, 8, 8}, 128);
  EXPECT_EQ(identifier_quality(small, 3).advice,
            "512 prefixes are too few for 1000 items: 86 % of them would share one even if all were used evenly; set "
            "kmeans.clusters = 8, rqvae.entries = 8, rqvae.codebooks = 4, or "
            "kmeans.clusters = 32, rqvae.entries = 32, rqvae.codebooks = 2");
  EXPECT_EQ(identifier_quality(small, 3, false).advice,
            "512 prefixes are too few for 1000 items: 86 % of them would share one even if all were used evenly; set "
            "rqvae.entries = 8, rqvae.codebooks = 5, or rqvae.entries = 32, rqvae.codebooks = 3");
  const Identifiers coarse = add_unique(draw_prefixes(1, 100, {16}), {16}, 128);
  EXPECT_EQ(identifier_quality(coarse, 1).advice,
            "16 prefixes are too few for 100 items: 100 % of them would share one even if all were used evenly; set "
            "kmeans.clusters = 16, rqvae.entries = 16, rqvae.codebooks = 2");
  EXPECT_NE(identifier_quality(coarse, 0).advice, "");
}

}  // namespace
}  // namespace ace
