#include "ace/trie.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>

#include "tensor/error.h"
#include "tensor/random.h"

namespace ace {
namespace {

using Row = std::vector<int32_t>;

Identifiers table(const std::vector<Row>& rows, std::vector<int64_t> vocabulary) {
  Row values;
  for (const Row& row : rows) values.insert(values.end(), row.begin(), row.end());
  const int64_t positions = int64_t(vocabulary.size());
  return {tensor::Tensor::of<int32_t>({int64_t(rows.size()), positions}, values), std::move(vocabulary)};
}

/// `items` different rows in random order.
std::vector<Row> draw_rows(tensor::Random& random, int64_t items, const std::vector<int64_t>& vocabulary) {
  std::set<Row> seen;
  std::vector<Row> rows;
  while (int64_t(rows.size()) < items) {
    Row row;
    for (int64_t size : vocabulary) row.push_back(int32_t(random.below(size)));
    if (seen.insert(row).second) rows.push_back(row);
  }
  return rows;
}

std::string message_of(const Identifiers& identifiers, std::vector<int32_t> pool = {}) {
  try {
    Trie trie(identifiers, pool);
  } catch (const tensor::Error& error) {
    return error.what();
  }
  return "no error";
}

/// Walks the tree and compares every node with the sorted set of prefixes of the pooled rows.
void expect_tree_of(const Trie& trie, const std::vector<Row>& rows, const std::vector<int32_t>& pool) {
  const int64_t positions = trie.positions();
  std::map<Row, int32_t> items;
  for (int32_t item : pool) items[rows[size_t(item)]] = item;
  for (int64_t level = 0; level < positions; ++level) {
    std::map<Row, std::set<int32_t>> children;
    for (const auto& [row, item] : items) children[Row(row.begin(), row.begin() + level)].insert(row[size_t(level)]);
    ASSERT_EQ(trie.nodes(level), int64_t(children.size()));
    int32_t node = 0, next = 0;
    for (const auto& [prefix, tokens] : children) {
      const Trie::Children found = trie.children(level, node++);
      EXPECT_EQ(found.first, next);
      EXPECT_EQ(Row(found.tokens.begin(), found.tokens.end()), Row(tokens.begin(), tokens.end()));
      next += int32_t(tokens.size());
    }
  }
  ASSERT_EQ(trie.nodes(positions), int64_t(items.size()));
  int32_t leaf = 0;
  for (const auto& [row, item] : items) {
    EXPECT_EQ(trie.item(leaf++), item);
    EXPECT_EQ(trie.find(row), item);
  }
}

TEST(Trie, HoldsThePrefixesOfRandomTablesInLexicographicOrder) {
  tensor::Random random(1);
  for (const std::vector<int64_t>& vocabulary : std::vector<std::vector<int64_t>>{
           {50}, {1, 30}, {3, 3, 3, 3}, {5, 1, 7}, {2, 2, 2, 2, 2, 2}, {1 << 20, 3}, {4, 1 << 17}}) {
    const std::vector<Row> rows = draw_rows(random, 27, vocabulary);
    const Identifiers identifiers = table(rows, vocabulary);
    std::vector<int32_t> all(rows.size()), pool;
    for (size_t i = 0; i < rows.size(); ++i) {
      all[i] = int32_t(i);
      if (random.below(3) == 0 || i == 5) pool.push_back(int32_t(i));
    }
    expect_tree_of(Trie(identifiers), rows, all);
    expect_tree_of(Trie(identifiers, pool), rows, pool);
  }
}

TEST(Trie, FindsOnlyWholeIdentifiersThatAnItemOfThePoolHas) {
  const Identifiers identifiers = table({{0, 2}, {1, 0}, {1, 2}}, {2, 3});
  const std::vector<int32_t> pool = {0, 2};
  const Trie trie(identifiers, pool);
  EXPECT_EQ(trie.find(Row{1, 2}), 2);
  EXPECT_EQ(trie.find(Row{1, 0}), -1);
  EXPECT_EQ(trie.find(Row{0, 1}), -1);
  EXPECT_EQ(trie.find(Row{1}), -1);
  EXPECT_EQ(trie.find(Row{1, 2, 0}), -1);
  EXPECT_EQ(trie.find(Row{-1, 7}), -1);
}

TEST(Trie, OneItemIsOnePath) {
  const Identifiers identifiers = table({{4, 0, 1}}, {5, 1, 2});
  expect_tree_of(Trie(identifiers), {{4, 0, 1}}, {0});
}

TEST(Trie, APositionMayHaveAVocabularyOfOne) {
  const Identifiers identifiers = table({{0}}, {1});
  expect_tree_of(Trie(identifiers), {{0}}, {0});
}

TEST(Trie, TwoItemsWithOneIdentifierAreAnErrorThatNamesThem) {
  const Identifiers identifiers = table({{1, 2}, {0, 0}, {1, 2}}, {2, 3});
  EXPECT_EQ(message_of(identifiers), "trie: items 0 and 2 have the same identifier [1, 2]");
  EXPECT_EQ(message_of(identifiers, {1, 2}), "no error");
}

TEST(Trie, TablesThatAreNotTablesAreRefused) {
  EXPECT_EQ(message_of(table({}, {2, 3})), "trie: identifiers [0, 2] are empty");
  EXPECT_EQ(message_of(table({{1, 3}}, {2, 3})), "identifiers: item 0, position 1: expected a token in 0 … 2, found 3");
  EXPECT_EQ(message_of(table({{-1, 0}}, {2, 3})),
            "identifiers: item 0, position 0: expected a token in 0 … 1, found -1");
  EXPECT_EQ(message_of(table({{0}, {1}}, {2}), {1, 0}), "trie: pool must ascend, found 1 before 0");
  EXPECT_EQ(message_of(table({{0}, {1}}, {2}), {0, 2}), "trie: pool names item 2, of 2 items");
  EXPECT_EQ(message_of({tensor::Tensor::of<int64_t>({1, 1}, {0}), {1}}),
            "identifiers: expected int32 [items, positions], found int64 [1, 1]");
}

TEST(Trie, HoldsAMillionIdentifiers) {
  tensor::Random random(2);
  std::vector<int32_t> values;
  for (int32_t i = 0; i < 1000000; ++i) {
    const int32_t shuffled = int32_t(int64_t(i) * 777767 % 1048576);
    for (int32_t token : {int32_t(shuffled >> 14), int32_t(shuffled >> 7 & 127), int32_t(shuffled & 127), 0}) {
      values.push_back(token);
    }
  }
  const Identifiers identifiers{tensor::Tensor::of<int32_t>({1000000, 4}, values), {128, 128, 128, 4}};
  const auto start = std::chrono::steady_clock::now();
  const Trie trie(identifiers);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  RecordProperty("milliseconds", int(1000 * seconds));
  EXPECT_EQ(trie.nodes(4), 1000000);
  for (int i = 0; i < 1000; ++i) {
    const int64_t item = random.below(1000000);
    EXPECT_EQ(trie.find(identifiers.row(item)), item);
  }
}

}  // namespace
}  // namespace ace
