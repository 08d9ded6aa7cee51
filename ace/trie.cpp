#include "ace/trie.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace ace {
namespace {

void check_pool(std::span<const int32_t> pool, int64_t items) {
  for (size_t i = 0; i < pool.size(); ++i) {
    tensor::check(pool[i] >= 0 && pool[i] < items, "trie: pool names item {}, of {} items", pool[i], items);
    tensor::check(i == 0 || pool[i - 1] < pool[i], "trie: pool must ascend, found {} before {}",
                  pool[i > 0 ? i - 1 : 0], pool[i]);
  }
}

}  // namespace

// In lexicographic order the rows below one node stand together. So one walk over the rows builds all levels: from the
// first position where a row differs from the row before, every level gets a new node.
Trie::Trie(const Identifiers& identifiers, std::span<const int32_t> pool) {
  check_tokens(identifiers.tokens, identifiers.vocabulary);
  const int64_t positions = identifiers.positions();
  tensor::check(identifiers.items() > 0 && positions > 0, "trie: identifiers {} are empty", identifiers.tokens.shape());
  check_pool(pool, identifiers.items());
  items_ = lexicographic_order(identifiers.tokens, positions, pool);
  levels_.resize(size_t(positions));
  const int32_t* tokens = identifiers.tokens.data<int32_t>();
  for (size_t i = 0; i < items_.size(); ++i) {
    const int32_t* row = tokens + items_[i] * positions;
    int64_t same = 0;
    if (i > 0) {
      const int32_t* before = tokens + items_[i - 1] * positions;
      same = std::mismatch(row, row + positions, before).first - row;
      tensor::check(same < positions, "trie: items {} and {} have the same identifier [{}]", items_[i - 1], items_[i],
                    fmt::join(row, row + positions, ", "));
    } else {
      levels_[0].first.push_back(0);
    }
    for (int64_t level = same; level < positions; ++level) {
      levels_[size_t(level)].token.push_back(row[level]);
      if (level + 1 < positions) {
        Level& next = levels_[size_t(level + 1)];
        next.first.push_back(int32_t(next.token.size()));
      }
    }
  }
  for (Level& level : levels_) level.first.push_back(int32_t(level.token.size()));
}

Trie::Children Trie::children(int64_t level, int32_t node) const {
  const Level& at = levels_[size_t(level)];
  const int32_t begin = at.first[size_t(node)], end = at.first[size_t(node) + 1];
  return {begin, std::span(at.token).subspan(size_t(begin), size_t(end - begin))};
}

int64_t Trie::nodes(int64_t level) const { return level == 0 ? 1 : int64_t(levels_[size_t(level - 1)].token.size()); }

int32_t Trie::find(std::span<const int32_t> tokens) const {
  if (int64_t(tokens.size()) != positions()) return -1;
  int32_t node = 0;
  for (int64_t level = 0; level < positions(); ++level) {
    const auto [first, candidates] = children(level, node);
    const auto at = std::lower_bound(candidates.begin(), candidates.end(), tokens[size_t(level)]);
    if (at == candidates.end() || *at != tokens[size_t(level)]) return -1;
    node = first + int32_t(at - candidates.begin());
  }
  return item(node);
}

}  // namespace ace
