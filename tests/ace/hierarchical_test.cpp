#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "ace/identifiers.h"
#include "ace/trie.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace ace {
namespace {

using Row = std::vector<int32_t>;

tensor::Tensor draw(int64_t items, int64_t width, uint64_t seed) {
  tensor::Random random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < items * width; ++i) values.push_back(float(random.normal()));
  return tensor::Tensor::of<float>({items, width}, values);
}

std::vector<Row> rows_of(const Identifiers& identifiers) {
  std::vector<Row> rows;
  for (int64_t i = 0; i < identifiers.items(); ++i) {
    rows.emplace_back(identifiers.row(i).begin(), identifiers.row(i).end());
  }
  return rows;
}

void expect_distinct(const Identifiers& identifiers) {
  const std::vector<Row> rows = rows_of(identifiers);
  EXPECT_EQ(std::set<Row>(rows.begin(), rows.end()).size(), rows.size());
  check_tokens(identifiers.tokens, identifiers.vocabulary);
  EXPECT_NO_THROW(Trie{identifiers});
}

TEST(Hierarchical, AFewItemsAreOneLeafThatCountsThem) {
  const Identifiers identifiers = hierarchical_identifiers(draw(4, 3, 1), {2}, 4, 1);
  EXPECT_EQ(rows_of(identifiers), (std::vector<Row>{{0}, {1}, {2}, {3}}));
  EXPECT_EQ(identifiers.vocabulary, (std::vector<int64_t>{4}));
}

TEST(Hierarchical, SeparateGroupsGetTokensOfTheirOwn) {
  tensor::Random random(1);
  std::vector<float> values;
  for (int i = 0; i < 30; ++i) {
    for (int c = 0; c < 2; ++c) values.push_back(float(100 * (i % 3 == c) + random.normal()));
  }
  const Identifiers identifiers = hierarchical_identifiers(tensor::Tensor::of<float>({30, 2}, values), {3}, 10, 1);
  EXPECT_EQ(identifiers.vocabulary, (std::vector<int64_t>{3, 10}));
  std::map<int32_t, std::set<int64_t>> groups;
  for (int64_t i = 0; i < 30; ++i) {
    groups[identifiers.row(i)[0]].insert(i % 3);
    EXPECT_EQ(identifiers.row(i)[1], i / 3);
  }
  EXPECT_EQ(groups.size(), 3u);
  for (const auto& [token, group] : groups) EXPECT_EQ(group.size(), 1u) << token;
}

TEST(Hierarchical, RowsAreDistinctWhateverTheSizes) {
  for (int64_t items : {1, 2, 17, 200, 601}) {
    for (int64_t clusters : {2, 3, 10}) {
      for (int64_t leaf : {1, 2, 8, 64})
        expect_distinct(hierarchical_identifiers(draw(items, 4, 2), {clusters}, leaf, 3));
    }
  }
}

TEST(Hierarchical, NoLeafHoldsMoreThanItsShare) {
  const int64_t leaf = 5;
  const Identifiers identifiers = hierarchical_identifiers(draw(300, 4, 4), {4}, leaf, 5);
  // Below a node of the tree there are more items than a leaf holds, or a leaf: its items' next tokens are 0 … count
  // − 1.
  std::map<Row, std::vector<Row>> below;
  for (const Row& row : rows_of(identifiers)) {
    for (size_t length = 0; length < row.size(); ++length) {
      below[Row(row.begin(), row.begin() + std::ptrdiff_t(length))].push_back(row);
    }
  }
  for (const auto& [prefix, rows] : below) {
    if (int64_t(rows.size()) > leaf) continue;
    std::set<int32_t> next;
    for (const Row& row : rows) next.insert(row[prefix.size()]);
    EXPECT_EQ(next.size(), rows.size());
    EXPECT_EQ(*next.rbegin(), int32_t(rows.size()) - 1);
  }
}

TEST(Hierarchical, ItemsThatAreEqualAreCutByIndex) {
  expect_distinct(hierarchical_identifiers(tensor::zeros({100, 3}, tensor::DType::f32), {3}, 4, 1));
  const Identifiers pair = hierarchical_identifiers(tensor::zeros({4, 1}, tensor::DType::f32), {2}, 2, 1);
  EXPECT_EQ(rows_of(pair), (std::vector<Row>{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
}

TEST(Hierarchical, DataThatSplitOffOneItemAtATimeMakeNoDeepTree) {
  std::vector<float> values;
  for (int i = 0; i < 120; ++i) values.push_back(std::ldexp(1.0f, i - 60));
  const Identifiers identifiers = hierarchical_identifiers(tensor::Tensor::of<float>({120, 1}, values), {2}, 1, 1);
  expect_distinct(identifiers);
  EXPECT_LE(identifiers.positions(), 16 + 7 + 1);
}

TEST(Hierarchical, OneSeedGivesOneTree) {
  const tensor::Tensor x = draw(400, 6, 7);
  const Identifiers a = hierarchical_identifiers(x, {5}, 8, 9), b = hierarchical_identifiers(x, {5}, 8, 9);
  EXPECT_EQ(rows_of(a), rows_of(b));
  EXPECT_NE(rows_of(a), rows_of(hierarchical_identifiers(x, {5}, 8, 10)));
}

TEST(Hierarchical, RowsInTheTypeOfTheirFileGiveTheTreeOfTheSameRowsInMemory) {
  const tensor::Tensor x = draw(9000, 4, 3).to(tensor::DType::f16);  // the root is more than Lloyd's algorithm takes
  const Rows stored(x, true), held(stored.block(0, x.rows()));
  EXPECT_EQ(rows_of(hierarchical_identifiers(stored, {8}, 64, 1)), rows_of(hierarchical_identifiers(held, {8}, 64, 1)));
}

TEST(Hierarchical, ATreeOfOneBranchIsRefused) {
  EXPECT_THROW(hierarchical_identifiers(draw(5, 2, 1), {1}, 2, 1), tensor::Error);
  EXPECT_THROW(hierarchical_identifiers(draw(5, 2, 1), {2}, 0, 1), tensor::Error);
  EXPECT_THROW(hierarchical_identifiers(draw(5, 2, 1).to(tensor::DType::i32), {2}, 2, 1), tensor::Error);
}

TEST(Hierarchical, ManyItemsAreClusteredByBatchesAsTheSettingsSay) {
  const tensor::Tensor x = draw(9000, 2, 1);
  const auto rows = [&](int64_t batch) { return rows_of(hierarchical_identifiers(x, {4, batch}, 3000, 1)); };
  EXPECT_EQ(rows(64), rows(64));
  EXPECT_NE(rows(64), rows(1024));
}

}  // namespace
}  // namespace ace
