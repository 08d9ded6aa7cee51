#include "ace/trie.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <numeric>
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

/// Walks the tree and compares every node, its mask and the child by each token, with the sorted set of prefixes of the
/// pooled rows.
void expect_tree_of(const Trie& trie, const std::vector<Row>& rows, const std::vector<int32_t>& pool) {
  const int64_t positions = trie.positions();
  std::map<Row, int32_t> items;
  for (int32_t item : pool) items[rows[size_t(item)]] = item;
  for (int64_t level = 0; level < positions; ++level) {
    std::map<Row, std::set<int32_t>> children;
    for (const auto& [row, item] : items) children[Row(row.begin(), row.begin() + level)].insert(row[size_t(level)]);
    ASSERT_EQ(trie.nodes(level), int64_t(children.size()));
    const kernels::TreeLevel& view = trie.level(level);
    ASSERT_EQ(view.nodes, trie.nodes(level));
    std::vector<int32_t> nodes(children.size());
    std::iota(nodes.begin(), nodes.end(), 0);
    const int64_t words = kernels::mask_words(view.vocabulary);
    std::vector<uint64_t> masks(nodes.size() * size_t(words)), expected(masks.size());
    kernels::tree_masks(kernels::Cpu(), view, nodes.data(), masks.data(), int64_t(nodes.size()));
    int32_t node = 0, next = 0;
    for (const auto& [prefix, tokens] : children) {
      const Trie::Children found = trie.children(level, node);
      EXPECT_EQ(found.first, next);
      EXPECT_EQ(found.tokens, Row(tokens.begin(), tokens.end()));
      for (const int32_t token : tokens) {
        EXPECT_EQ(kernels::tree_child(view, node, token), next++);
        expected[size_t(node * words + token / 64)] |= uint64_t(1) << token % 64;
      }
      ++node;
    }
    EXPECT_EQ(masks, expected);
  }
  ASSERT_EQ(trie.nodes(positions), int64_t(items.size()));
  int32_t leaf = 0;
  for (const auto& [row, item] : items) {
    EXPECT_EQ(trie.item(leaf++), item);
    EXPECT_EQ(trie.find(row), item);
  }
}

/// Tables of all kinds: small and large vocabularies, one position to six, empty grids and full ones.
const std::vector<std::vector<int64_t>> vocabularies = {{50},
                                                        {1, 30},
                                                        {3, 3, 3, 3},
                                                        {5, 1, 7},
                                                        {2, 2, 2, 2, 2, 2},
                                                        {1 << 20, 3},
                                                        {4, 1 << 17},
                                                        {1, 1, 64},
                                                        {63, 2},
                                                        {64, 65},
                                                        {128, 128, 128, 4},
                                                        {2, 300, 2},
                                                        {1 << 20, 1 << 20, 1 << 20},
                                                        {300, 65, 63, 128, 128}};

TEST(Trie, HoldsThePrefixesOfRandomTablesInLexicographicOrder) {
  tensor::Random random(1);
  for (const std::vector<int64_t>& vocabulary : vocabularies) {
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

TEST(Trie, HoldsDenseTablesWithUniqueTokensOfOneDigitAndOfSeveral) {
  tensor::Random random(3);
  for (const auto& [vocabulary, unique] : std::vector<std::pair<std::vector<int64_t>, int64_t>>{
           {{5, 7}, 128}, {{3, 65}, 8}, {{2, 2}, 4}, {{130, 3}, 16}, {{1}, 2}}) {
    tensor::Tensor prefixes({900, int64_t(vocabulary.size())}, tensor::DType::i32);
    for (size_t i = 0; i < size_t(prefixes.elements()); ++i) {
      prefixes.data<int32_t>()[i] = int32_t(random.below(vocabulary[i % vocabulary.size()]));
    }
    const Identifiers identifiers = add_unique(prefixes, vocabulary, unique);
    std::vector<Row> rows;
    std::vector<int32_t> all, some;  // the pool has gaps in its unique tokens
    for (int32_t i = 0; i < 900; ++i) {
      rows.emplace_back(identifiers.row(i).begin(), identifiers.row(i).end());
      all.push_back(i);
      if (random.below(5)) some.push_back(i);
    }
    const Trie trie(identifiers);
    for (int64_t j = int64_t(vocabulary.size()); j < trie.positions(); ++j) {
      EXPECT_EQ(trie.level(j).form, kernels::TreeLevel::Form::counted);
    }
    expect_tree_of(trie, rows, all);
    expect_tree_of(Trie(identifiers, some), rows, some);
  }
}

TEST(Trie, IsTheSameBytesWithAnyNumberOfThreads) {
  tensor::Random random(4);
  const Identifiers identifiers = table(draw_rows(random, 50000, {40, 40, 200}), {40, 40, 200});
  std::vector<std::vector<std::byte>> found;
  for (const int threads : {1, 2, 3}) {
    kernels::set_threads(threads);
    const Trie trie(identifiers);
    found.emplace_back(trie.bytes().begin(), trie.bytes().end());
  }
  kernels::set_threads(0);
  EXPECT_TRUE(found[0] == found[1] && found[0] == found[2]);
}

TEST(Trie, TakesFourBytesAnItemAndTheGrid) {
  // A full grid of 32³ prefixes, three items each: bits, one offset a prefix, one number an item.
  std::vector<int32_t> values;
  for (int32_t i = 0; i < 3 * 32768; ++i) {
    for (const int32_t token : {i % 32768 >> 10, i >> 5 & 31, i & 31, i / 32768}) values.push_back(token);
  }
  const Trie trie(Identifiers{tensor::Tensor::of<int32_t>({3 * 32768, 4}, values), {32, 32, 32, 4}});
  EXPECT_LE(trie.bytes().size(), size_t(3 * 32768 * 4 + 32768 * 4 + 1024 * 12 + 2000));
  EXPECT_EQ(trie.find(Row{31, 31, 31, 2}), 3 * 32768 - 1);
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
  EXPECT_EQ(message_of(identifiers), "identifiers: items 0 and 2 have the same identifier [1, 2]");
  EXPECT_EQ(message_of(identifiers, {1, 2}), "no error");
}

TEST(Trie, TablesThatAreNotTablesAreRefused) {
  EXPECT_EQ(message_of(table({}, {2, 3})), "identifiers: expected an item and a position at least, found [0, 2]");
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
