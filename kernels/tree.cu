#include "kernels/tree.h"

#include "kernels/launch.h"

namespace kernels {
namespace {

__global__ void tree_masks_kernel(TreeLevel level, const int32_t* nodes, uint64_t* masks, int64_t rows) {
  const int64_t words = mask_words(level.vocabulary);
  Grid().each(rows * words, [=](int64_t i) { masks[i] = tree_mask_word(level, nodes[i / words], i % words); });
}

__global__ void tree_children_kernel(TreeLevel level, const int32_t* node, const int32_t* token, int32_t* child,
                                     int64_t rows) {
  Grid().each(rows, [=](int64_t r) { child[r] = tree_child(level, node[r], token[r]); });
}

}  // namespace

void tree_masks(Cuda cuda, const TreeLevel& level, const int32_t* nodes, uint64_t* masks, int64_t rows) {
  launch(tree_masks_kernel, element_blocks(rows * mask_words(level.vocabulary)), Grid::threads, 0, cuda.stream(), level,
         nodes, masks, rows);
}

void tree_children(Cuda cuda, const TreeLevel& level, const int32_t* node, const int32_t* token, int32_t* child,
                   int64_t rows) {
  launch(tree_children_kernel, element_blocks(rows), Grid::threads, 0, cuda.stream(), level, node, token, child, rows);
}

}  // namespace kernels
