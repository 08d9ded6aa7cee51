#include "kernels/tree.h"

namespace kernels {

void tree_masks(Cpu cpu, const TreeLevel& level, const int32_t* nodes, uint64_t* masks, int64_t rows) {
  const int64_t words = mask_words(level.vocabulary);
  cpu.parallel(rows, 16 + 4 * words, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t w = 0; w < words; ++w) masks[r * words + w] = tree_mask_word(level, nodes[r], w);
    }
  });
}

void tree_children(Cpu cpu, const TreeLevel& level, const int32_t* node, const int32_t* token, int32_t* child,
                   int64_t rows) {
  cpu.parallel(rows, 32, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) child[r] = tree_child(level, node[r], token[r]);
  });
}

}  // namespace kernels
