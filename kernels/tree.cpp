#include "kernels/tree.h"

#include <algorithm>

namespace kernels {
namespace {

/// Calls f with the list of tokens as what it is, a pointer to u8, u16 or u32.
template <class F>
auto with_list(const TreeLevel& level, const F& f) {
  using Form = TreeLevel::Form;
  if (level.form == Form::list8) return f(static_cast<const uint8_t*>(level.tokens));
  if (level.form == Form::list16) return f(static_cast<const uint16_t*>(level.tokens));
  return f(static_cast<const uint32_t*>(level.tokens));
}

/// Bits 0 … count − 1 of the 64 bits from `start` on.
uint64_t ones(int64_t count, int64_t start) {
  const int64_t here = std::clamp<int64_t>(count - start, 0, 64);
  return here == 64 ? ~uint64_t(0) : (uint64_t(1) << here) - 1;
}

/// row(r, mask) for every row, shared out to the threads.
template <class Row>
void each_mask(Cpu cpu, int64_t words, uint64_t* masks, int64_t rows, const Row& row) {
  cpu.parallel(rows, 16 + 2 * words, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) row(r, masks + r * words);
  });
}

inline int32_t child_of(const TreeLevel& level, int32_t node, int64_t token) {
  if (token < 0 || token >= level.vocabulary) return -1;
  const uint32_t first = level.first[node], count = level.first[node + 1] - first;
  if (level.form == TreeLevel::Form::counted) return token < int64_t(count) ? int32_t(first + uint32_t(token)) : -1;
  if (level.form == TreeLevel::Form::bits) {
    const uint64_t* mask = static_cast<const uint64_t*>(level.tokens) + node * mask_words(level.vocabulary);
    const uint64_t bit = uint64_t(1) << (token & 63);
    if (!(mask[token / 64] & bit)) return -1;
    int rank = std::popcount(mask[token / 64] & (bit - 1));
    for (int64_t w = 0; w < token / 64; ++w) rank += std::popcount(mask[w]);
    return int32_t(first) + rank;
  }
  return with_list(level, [&](const auto* tokens) {
    const auto *begin = tokens + first, *end = begin + count;
    const auto* at = std::lower_bound(begin, end, token, [](auto a, int64_t b) { return int64_t(a) < b; });
    return at != end && int64_t(*at) == token ? int32_t(at - tokens) : -1;
  });
}

}  // namespace

int32_t tree_child(const TreeLevel& level, int32_t node, int64_t token) { return child_of(level, node, token); }

void tree_masks(Cpu cpu, const TreeLevel& level, const int32_t* nodes, uint64_t* masks, int64_t rows) {
  const int64_t words = mask_words(level.vocabulary);
  const uint32_t* first = level.first;
  if (level.form == TreeLevel::Form::counted) {
    each_mask(cpu, words, masks, rows, [=](int64_t r, uint64_t* mask) {
      const int64_t count = first[nodes[r] + 1] - first[nodes[r]];
      for (int64_t w = 0; w < words; ++w) mask[w] = ones(count, 64 * w);
    });
  } else if (level.form == TreeLevel::Form::bits) {
    const uint64_t* bits = static_cast<const uint64_t*>(level.tokens);
    each_mask(cpu, words, masks, rows,
              [=](int64_t r, uint64_t* mask) { std::copy_n(bits + nodes[r] * words, words, mask); });
  } else {
    with_list(level, [&](const auto* tokens) {
      each_mask(cpu, words, masks, rows, [=](int64_t r, uint64_t* mask) {
        std::fill_n(mask, words, 0);
        for (uint32_t c = first[nodes[r]]; c < first[nodes[r] + 1]; ++c) {
          mask[tokens[c] / 64] |= uint64_t(1) << (tokens[c] % 64);
        }
      });
    });
  }
}

void tree_children(Cpu cpu, const TreeLevel& level, const int32_t* node, const int32_t* token, int32_t* child,
                   int64_t rows) {
  cpu.parallel(rows, 32, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) child[r] = child_of(level, node[r], token[r]);
  });
}

}  // namespace kernels
