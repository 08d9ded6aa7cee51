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
  const uint32_t* first = nullptr;  ///< [nodes + 1]; null: no tree
  const void* tokens = nullptr;     ///< as `form` says

  ACE_HD explicit operator bool() const { return first != nullptr; }
  ACE_HD bool listed() const { return form >= Form::list8; }
  /// The node's row of bits.
  ACE_HD const uint64_t* bits(int32_t node) const;
  /// Where tokens are listed: that of a child, by its number in the next level; and where the list has it.
  ACE_HD uint32_t token(uint32_t child) const;
  ACE_HD const void* listed_at(uint32_t child) const;
};

/// Words of 64 bits that a mask of `vocabulary` tokens takes; bits past the vocabulary are 0.
ACE_HD int64_t mask_words(int64_t vocabulary) { return (vocabulary + 63) / 64; }

/// Word w of the mask of tokens 0 … count − 1.
ACE_HD uint64_t mask_of_first(int64_t count, int64_t w) {
  const int64_t here = count - 64 * w;
  return here >= 64 ? ~uint64_t(0) : here <= 0 ? 0 : (uint64_t(1) << here) - 1;
}

/// How many bits are set.
ACE_HD int bits_set(uint64_t word) {
#ifdef __CUDA_ARCH__
  return __popcll(word);
#else
  return std::popcount(word);
#endif
}

ACE_HD const uint64_t* TreeLevel::bits(int32_t node) const {
  return static_cast<const uint64_t*>(tokens) + node * mask_words(vocabulary);
}
ACE_HD uint32_t TreeLevel::token(uint32_t child) const {
  if (form == Form::list8) return static_cast<const uint8_t*>(tokens)[child];
  if (form == Form::list16) return static_cast<const uint16_t*>(tokens)[child];
  return static_cast<const uint32_t*>(tokens)[child];
}
ACE_HD const void* TreeLevel::listed_at(uint32_t child) const {
  const int64_t bytes = form == Form::list8 ? 1 : form == Form::list16 ? 2 : 4;
  return static_cast<const uint8_t*>(tokens) + bytes * child;
}

/// The first of children begin … end − 1 of one node, listed, whose token is not below `token`; `end` if none is.
ACE_HD uint32_t first_child_from(const TreeLevel& level, uint32_t begin, uint32_t end, int64_t token) {
  while (begin < end) {
    const uint32_t middle = begin + (end - begin) / 2;
    if (int64_t(level.token(middle)) < token) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

/// The number of the child of `node` with this token, in the next level; −1 when there is none.
ACE_HD int32_t tree_child(const TreeLevel& level, int32_t node, int64_t token) {
  if (token < 0 || token >= level.vocabulary) return -1;
  const uint32_t first = level.first[node], end = level.first[node + 1];
  if (level.form == TreeLevel::Form::counted) return token < int64_t(end - first) ? int32_t(first + token) : -1;
  if (level.form == TreeLevel::Form::bits) {
    const uint64_t* const mask = level.bits(node);
    const uint64_t bit = uint64_t(1) << (token & 63);
    if (!(mask[token / 64] & bit)) return -1;
    int rank = bits_set(mask[token / 64] & (bit - 1));
    for (int64_t w = 0; w < token / 64; ++w) rank += bits_set(mask[w]);
    return int32_t(first) + rank;
  }
  const uint32_t child = first_child_from(level, first, end, token);
  return child < end && int64_t(level.token(child)) == token ? int32_t(child) : -1;
}

/// Word w of the mask of the tokens that may follow `node`.
ACE_HD uint64_t tree_mask_word(const TreeLevel& level, int32_t node, int64_t w) {
  if (level.form == TreeLevel::Form::bits) return level.bits(node)[w];
  const uint32_t first = level.first[node], end = level.first[node + 1];
  if (level.form == TreeLevel::Form::counted) return mask_of_first(end - first, w);
  uint64_t word = 0;
  for (uint32_t child = first_child_from(level, first, end, 64 * w); child < end; ++child) {
    const uint32_t token = level.token(child);
    if (token / 64 != w) break;
    word |= uint64_t(1) << token % 64;
  }
  return word;
}

/// Masks [rows, mask_words(vocabulary)] of the tokens that may follow each node.
void tree_masks(Cpu, const TreeLevel& level, const int32_t* nodes, uint64_t* masks, int64_t rows);
void tree_masks(Cuda, const TreeLevel& level, const int32_t* nodes, uint64_t* masks, int64_t rows);
/// tree_child of many rows; `child` may be `node`. The Cuda forms read a level whose arrays are on the device.
void tree_children(Cpu, const TreeLevel& level, const int32_t* node, const int32_t* token, int32_t* child,
                   int64_t rows);
void tree_children(Cuda, const TreeLevel& level, const int32_t* node, const int32_t* token, int32_t* child,
                   int64_t rows);

}  // namespace kernels
