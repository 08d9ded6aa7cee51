#include "tests/kernels/trees.h"

namespace kernels {
namespace {

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
    for (const Form form : forms) {
      if (!fits(form, vocabulary)) continue;
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
