#include "kernels/tree.h"

#include <set>

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

using Form = TreeLevel::Form;
using Tokens = std::set<int64_t>;

/// A level made from the tokens of each node's children, in any of the forms.
struct Level {
  Level(const std::vector<Tokens>& nodes, int64_t vocabulary, Form form) {
    const int64_t words = mask_words(vocabulary);
    bits.assign(nodes.size() * size_t(words), 0);
    for (size_t n = 0; n < nodes.size(); ++n) {
      for (const int64_t token : nodes[n]) {
        bits[n * size_t(words) + size_t(token / 64)] |= uint64_t(1) << token % 64;
        list8.push_back(uint8_t(token)), list16.push_back(uint16_t(token)), list32.push_back(uint32_t(token));
      }
      first.push_back(uint32_t(list32.size()));
    }
    const void* const tokens[] = {nullptr, bits.data(), list8.data(), list16.data(), list32.data()};
    view = {vocabulary, int64_t(nodes.size()), form, first.data(), tokens[size_t(form)]};
  }
  std::vector<uint32_t> first{0};
  std::vector<uint64_t> bits;
  std::vector<uint8_t> list8;
  std::vector<uint16_t> list16;
  std::vector<uint32_t> list32;
  TreeLevel view;
};

uint32_t number(uint64_t seed, uint64_t i, int64_t below) { return philox(seed, i, 5).v[0] % uint32_t(below); }

/// Children for each of `count` nodes: one to many of them, any tokens or the first few.
std::vector<Tokens> draw_nodes(int64_t count, int64_t vocabulary, bool counted, uint64_t seed) {
  std::vector<Tokens> nodes;
  uint64_t drawn = 0;
  for (int64_t n = 0; n < count; ++n) {
    Tokens& tokens = nodes.emplace_back();
    const int64_t wanted = 1 + number(seed, drawn++, n % 3 == 0 ? std::min<int64_t>(vocabulary, 400) : 2);
    for (int64_t i = 0; i < std::min(wanted, vocabulary); ++i) {
      tokens.insert(counted ? i : number(seed, drawn++, vocabulary));
    }
  }
  return nodes;
}

void expect_level(const Level& level, const std::vector<Tokens>& nodes) {
  const int64_t vocabulary = level.view.vocabulary, words = mask_words(vocabulary);
  std::vector<int32_t> rows;  // every node twice, from the last
  for (int64_t i = 2 * int64_t(nodes.size()) - 1; i >= 0; --i) rows.push_back(int32_t(i / 2));
  std::vector<uint64_t> masks(rows.size() * size_t(words) + 1, 12345);
  tree_masks(Cpu(), level.view, rows.data(), masks.data(), int64_t(rows.size()));
  EXPECT_EQ(masks.back(), 12345u);
  std::vector<int32_t> node, token, expected;
  for (size_t r = 0; r < rows.size(); ++r) {
    const Tokens& tokens = nodes[size_t(rows[r])];
    for (int64_t t = 0; t < 64 * words; ++t) {
      const bool allowed = masks[r * size_t(words) + size_t(t / 64)] >> t % 64 & 1;
      ASSERT_EQ(allowed, tokens.contains(t)) << "node " << rows[r] << ", token " << t << " of " << vocabulary;
    }
    int32_t child = int32_t(level.first[size_t(rows[r])]);
    for (int64_t t = -1; t <= vocabulary; t += vocabulary > 1000 && !tokens.contains(t + 1) ? 37 : 1) {
      node.push_back(rows[r]), token.push_back(int32_t(t));
      expected.push_back(tokens.contains(t) ? child + int32_t(std::distance(tokens.begin(), tokens.find(t))) : -1);
    }
  }
  for (size_t i = 0; i < node.size(); ++i) ASSERT_EQ(tree_child(level.view, node[i], token[i]), expected[i]);
  tree_children(Cpu(), level.view, node.data(), token.data(), node.data(), int64_t(node.size()));
  EXPECT_EQ(node, expected);
}

TEST(Tree, AnswersFromEveryFormLikeASetOfTokens) {
  for (const int64_t vocabulary : {1, 2, 63, 64, 65, 128, 256, 300, 65536, 100000}) {
    for (const Form form : {Form::counted, Form::bits, Form::list8, Form::list16, Form::list32}) {
      if (form == Form::list8 && vocabulary > 256) continue;
      if (form == Form::list16 && vocabulary > 65536) continue;
      for (const int64_t count : {1, 7, 50}) {
        const std::vector<Tokens> nodes = draw_nodes(count, vocabulary, form == Form::counted, uint64_t(count));
        expect_level(Level(nodes, vocabulary, form), nodes);
      }
    }
  }
}

TEST(Tree, NodesWithEveryTokenHaveFullMasks) {
  for (const int64_t vocabulary : {1, 63, 64, 65, 128, 200}) {
    Tokens all;
    for (int64_t t = 0; t < vocabulary; ++t) all.insert(t);
    for (const Form form : {Form::counted, Form::bits, Form::list8})
      expect_level(Level({all, all}, vocabulary, form), {all, all});
  }
}

TEST(Tree, MasksAreTheSameWithAnyNumberOfThreads) {
  const std::vector<Tokens> nodes = draw_nodes(40, 300, false, 9);
  const Level level(nodes, 300, Form::list16);
  std::vector<int32_t> rows;
  for (uint64_t i = 0; i < 5000; ++i) rows.push_back(int32_t(number(10, i, 40)));
  expect_same_for_any_threads([&] {
    std::vector<uint64_t> masks(rows.size() * 5);
    tree_masks(Cpu(), level.view, rows.data(), masks.data(), int64_t(rows.size()));
    return masks;
  });
}

}  // namespace
}  // namespace kernels
