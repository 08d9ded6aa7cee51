#include "tests/cuda/arrays.h"
#include "tests/cuda/trees.h"

namespace kernels {
namespace {

TEST(TreeOnDevice, AnswersLikeTheCpus) {
  const Cuda cuda;
  for (const int64_t vocabulary : {1, 64, 70, 300}) {
    for (const Form form : forms) {
      if (!fits(form, vocabulary)) continue;
      SCOPED_TRACE(testing::Message() << vocabulary << " tokens, form " << int(form));
      const Level level(draw_nodes(9, vocabulary, form == Form::counted, 3), vocabulary, form);
      const DeviceLevel there(level);
      std::vector<int32_t> node, token;
      for (int64_t i = 0; i < 9 * (vocabulary + 2); i += vocabulary < 100 ? 1 : 3) {
        node.push_back(int32_t(i % 9)), token.push_back(int32_t(i / 9 - 1));
      }
      const int64_t rows = int64_t(node.size());
      std::vector<int32_t> children(node.size());
      tree_children(Cpu(), level.view, node.data(), token.data(), children.data(), rows);
      const Device<int32_t> nodes(node), tokens(token);
      tree_children(cuda, there.view, nodes, tokens, nodes, rows);
      EXPECT_EQ(nodes.values(), children);

      const std::vector<int32_t> some{8, 0, 3, 3, 7};
      const int64_t words = 5 * mask_words(vocabulary);
      std::vector<uint64_t> masks(static_cast<size_t>(words));
      tree_masks(Cpu(), level.view, some.data(), masks.data(), 5);
      const Device<int32_t> wanted(some);
      const Device<uint64_t> found(words);
      tree_masks(cuda, there.view, wanted, found, 5);
      EXPECT_EQ(found.values(), masks);
    }
  }
}

}  // namespace
}  // namespace kernels
