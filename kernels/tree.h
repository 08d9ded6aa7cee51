#pragma once
#include <bit>

#include "kernels/backend.h"
#include "kernels/number.h"

namespace kernels {

/// One level of a prefix tree, as it lies in memory, in a file or on a card. Nodes are the prefixes of one length in
/// lexicographic order. The children of node n are nodes first[n] … first[n + 1] − 1 of the next level, at least one,
/// their tokens ascending and below `vocabulary`. Tokens are stored in the form that takes the least:
struct TreeLevel {
  enum class Form : uint32_t {
    counted,  ///< not at all: the children of every node are 0, 1, 2, …
    bits,     ///< mask_words(vocabulary) u64 a node: bit t % 64 of word t / 64 is token t
    list8,    ///< one u8, u16 or u32 a child, where rows of bits would be nearly empty
    list16,
    list32,
  };
  int64_t vocabulary = 1, nodes = 1;
  Form form = Form::counted;
  const uint32_t* first = nullptr;  ///< [nodes + 1]
  const void* tokens = nullptr;     ///< as `form` says
};

/// Words of 64 bits that a mask of `vocabulary` tokens takes; bits past the vocabulary are 0.
ACE_HD int64_t mask_words(int64_t vocabulary) { return (vocabulary + 63) / 64; }

/// The number of the child of `node` with this token, in the next level; −1 when there is none.
int32_t tree_child(const TreeLevel& level, int32_t node, int64_t token);

/// What a step of a search asks of the tree: masks [rows, mask_words(vocabulary)], the tokens that may follow each
/// node.
void tree_masks(Cpu, const TreeLevel& level, const int32_t* nodes, uint64_t* masks, int64_t rows);
/// … and tree_child of many rows; `child` may be `node`.
void tree_children(Cpu, const TreeLevel& level, const int32_t* node, const int32_t* token, int32_t* child,
                   int64_t rows);

}  // namespace kernels
