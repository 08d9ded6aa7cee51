#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "ace/lexicographic.h"
#include "ace/trie_layout.h"
#include "tensor/allocator.h"

namespace ace {
namespace {

using kernels::TreeLevel;
using tensor::check;

void check_pool(std::span<const int32_t> pool, int64_t items) {
  for (size_t i = 0; i < pool.size(); ++i) {
    check(pool[i] >= 0 && pool[i] < items, "trie: pool names item {}, of {} items", pool[i], items);
    check(i == 0 || pool[i - 1] < pool[i], "trie: pool must ascend, found {} before {}", pool[i > 0 ? i - 1 : 0],
          pool[i]);
  }
}

/// In lexicographic order the rows below one node stand together. So a walk over the rows finds all nodes: from the
/// first position where a row differs from the row before, every level gets a new child. Two walks: one counts, so that
/// the sizes are known, one writes. Both go over blocks of rows, which threads share.
class TrieBuilder {
 public:
  TrieBuilder(const Identifiers& identifiers, std::span<const int32_t> pool, const std::string& origin)
      : identifiers_(identifiers),
        positions_(identifiers.positions()),
        order_(identifiers.tokens, positions_, pool),
        rows_(order_.size()),
        blocks_(std::clamp<int64_t>(rows_ / 16384, 1, 256)),
        counts_(size_t(blocks_)) {
    count_all(origin);
    choose_forms();
  }

  TrieBytes build() {
    const TrieLayout::Places places = layout_.places(std::numeric_limits<int64_t>::max());
    constexpr std::align_val_t alignment{64};
    auto* base = static_cast<std::byte*>(::operator new(size_t(places.end), alignment));
    tensor::prefer_large_pages(base, size_t(places.end));
    std::shared_ptr<const void> owner(base, [](void* block) { ::operator delete(block, alignment); });
    const std::vector<uint64_t> header = layout_.header();
    std::memcpy(base, header.data(), 8 * header.size());
    for (const auto& [begin, size] : places.gaps) std::memset(base + begin, 0, size_t(size));
    write_all(base, places);
    return {{base, size_t(places.end)}, std::move(owner)};
  }

 private:
  /// What a block of rows adds to the tree.
  struct Count {
    std::vector<int64_t> children;  ///< [J] new children at each level; after choose_forms: those of the blocks before
    std::vector<char> counted;      ///< [J] whether their tokens count 0, 1, 2, …
    int64_t duplicate = -1;         ///< the first row that is the same as the row before
  };

  template <class Body>
  void each_block(const Body& body) const {
    kernels::Cpu().parallel(blocks_, 16 * positions_ * (rows_ / blocks_ + 1), [&](int64_t first, int64_t last) {
      for (int64_t b = first; b < last; ++b) body(size_t(b), rows_ * b / blocks_, rows_ * (b + 1) / blocks_);
    });
  }

  void count_block(Count& count, int64_t begin, int64_t end) {
    count.children.assign(size_t(positions_), 0);
    count.counted.assign(size_t(positions_), 1);
    for (int64_t i = begin; i < end; ++i) {
      order_.prefetch(i);
      int64_t same = 0;
      int32_t next = 0;  // the token that counting on gives
      if (i > 0) {
        same = order_.shared(i);
        if (same == positions_) {
          count.duplicate = i;
          return;
        }
        next = order_.token(i - 1, same) + 1;
      }
      for (int64_t j = same; j < positions_; ++j) {
        ++count.children[size_t(j)];
        count.counted[size_t(j)] &= order_.token(i, j) == next;
        next = 0;
      }
    }
  }

  void count_all(const std::string& origin) {
    each_block([&](size_t b, int64_t begin, int64_t end) { count_block(counts_[b], begin, end); });
    for (const Count& count : counts_) {
      if (count.duplicate < 0) continue;
      const int64_t i = count.duplicate;
      tensor::fail("{}: items {} and {} have the same identifier [{}]", origin, order_.item(i - 1), order_.item(i),
                   fmt::join(identifiers_.row(order_.item(i)), ", "));
    }
  }

  /// Sizes of the levels, and the form of tokens that takes the least.
  void choose_forms() {
    int64_t nodes = 1;
    for (size_t j = 0; j < size_t(positions_); ++j) {
      bool counted = true;
      int64_t children = 0;
      for (Count& count : counts_) {
        counted = counted && count.counted[j];
        const int64_t before = children;
        children += count.children[j];
        count.children[j] = before;
      }
      const int64_t vocabulary = identifiers_.vocabulary[j];
      const auto [list, width] = vocabulary <= 1 << 8    ? std::pair(TreeLevel::Form::list8, 1)
                                 : vocabulary <= 1 << 16 ? std::pair(TreeLevel::Form::list16, 2)
                                                         : std::pair(TreeLevel::Form::list32, 4);
      const bool bits = 8 * nodes * kernels::mask_words(vocabulary) <= width * children;
      layout_.levels.push_back({vocabulary, nodes,
                                counted ? TreeLevel::Form::counted
                                : bits  ? TreeLevel::Form::bits
                                        : list});
      nodes = children;
    }
    layout_.leaves = nodes;
  }

  void write_all(std::byte* base, const TrieLayout::Places& places) {
    std::vector<uint32_t*> first, token;
    std::vector<std::unique_ptr<uint32_t[]>> lists;
    for (size_t j = 0; j < size_t(positions_); ++j) {
      first.push_back(reinterpret_cast<uint32_t*>(base + places.first[j]));
      const bool stored = layout_.levels[j].form != TreeLevel::Form::counted;
      lists.push_back(stored ? std::make_unique_for_overwrite<uint32_t[]>(size_t(layout_.nodes(j + 1))) : nullptr);
      token.push_back(lists.back().get());
      first[j][0] = 0;
      first[j][layout_.levels[j].nodes] = uint32_t(layout_.nodes(j + 1));
    }
    auto* const items = reinterpret_cast<int32_t*>(base + places.items);
    each_block([&](size_t b, int64_t begin, int64_t end) {
      std::vector<int64_t> next = counts_[b].children;  // the number of the next child of each level
      for (int64_t i = begin; i < end; ++i) {
        order_.prefetch(i);
        items[i] = order_.item(i);
        for (int64_t j = i > 0 ? order_.shared(i) : 0; j < positions_; ++j) {
          const int64_t child = next[size_t(j)]++;
          if (token[size_t(j)]) token[size_t(j)][child] = uint32_t(order_.token(i, j));
          if (j + 1 < positions_) first[size_t(j + 1)][child] = uint32_t(next[size_t(j + 1)]);
        }
      }
    });
    for (size_t j = 0; j < size_t(positions_); ++j)
      pack(layout_.levels[j], first[j], token[j], base + places.tokens[j]);
  }

  /// The tokens of a level, from a list of u32 to their form.
  static void pack(const TreeLevel& level, const uint32_t* first, const uint32_t* list, std::byte* to) {
    const int64_t words = kernels::mask_words(level.vocabulary), children = first[level.nodes];
    const auto narrow = [&](auto* narrowed) {
      kernels::Cpu().parallel(children, 1, [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) narrowed[c] = std::remove_reference_t<decltype(*narrowed)>(list[c]);
      });
    };
    switch (level.form) {
      case TreeLevel::Form::counted:
        return;
      case TreeLevel::Form::list8:
        return narrow(reinterpret_cast<uint8_t*>(to));
      case TreeLevel::Form::list16:
        return narrow(reinterpret_cast<uint16_t*>(to));
      case TreeLevel::Form::list32:
        return narrow(reinterpret_cast<uint32_t*>(to));
      case TreeLevel::Form::bits:
        break;
    }
    auto* const masks = reinterpret_cast<uint64_t*>(to);
    kernels::Cpu().parallel(level.nodes, 2 * children / level.nodes + words, [&](int64_t begin, int64_t end) {
      std::fill(masks + begin * words, masks + end * words, 0);
      for (int64_t node = begin; node < end; ++node) {
        for (uint32_t c = first[node]; c < first[node + 1]; ++c) {
          masks[node * words + list[c] / 64] |= uint64_t(1) << (list[c] % 64);
        }
      }
    });
  }

  const Identifiers& identifiers_;
  const int64_t positions_;
  const LexicographicOrder order_;
  const int64_t rows_, blocks_;
  std::vector<Count> counts_;  ///< [blocks]
  TrieLayout layout_;
};

}  // namespace

TrieBytes build_trie(const Identifiers& identifiers, std::span<const int32_t> pool, const std::string& origin) {
  check_tokens(identifiers.tokens, identifiers.vocabulary, origin);
  check(identifiers.items() > 0 && identifiers.positions() > 0,
        "{}: expected an item and a position at least, found {}", origin, identifiers.tokens.shape());
  check_pool(pool, identifiers.items());
  return TrieBuilder(identifiers, pool, origin).build();
}

}  // namespace ace
