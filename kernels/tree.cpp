#include "kernels/tree.h"

#include <algorithm>

namespace kernels {

void tree_masks(Cpu cpu, const TreeLevel& level, const int32_t* nodes, uint64_t* masks, int64_t rows) {
  const int64_t words = mask_words(level.vocabulary);
  cpu.parallel(rows, 16 + 4 * words, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      uint64_t* const mask = masks + r * words;
      if (level.listed()) {  // one walk over the children, instead of a search for each word
        std::fill_n(mask, words, uint64_t(0));
        for (uint32_t child = level.first[nodes[r]]; child < level.first[nodes[r] + 1]; ++child) {
          mask[level.token(child) / 64] |= uint64_t(1) << level.token(child) % 64;
        }
        continue;
      }
      for (int64_t w = 0; w < words; ++w) mask[w] = tree_mask_word(level, nodes[r], w);
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
