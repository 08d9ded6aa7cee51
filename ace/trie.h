#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "ace/identifiers.h"

namespace ace {

/// The prefix tree of assigned identifiers, level by level in arrays. Level j holds the distinct prefixes of length j
/// in lexicographic order (level 0: the empty prefix, node 0; level J: whole identifiers). Children of a node are
/// consecutive nodes of the next level, their tokens ascending; so a node's number is also the rank of its prefix.
class Trie {
 public:
  /// Over all items, or over a pool of them (ascending item indices).
  explicit Trie(const Identifiers& identifiers, std::span<const int32_t> pool = {});
  int64_t positions() const { return int64_t(levels_.size()); }
  struct Children {
    int32_t first;                    ///< node number, at the next level, of the first child
    std::span<const int32_t> tokens;  ///< ascending
  };
  /// Children of node `node` of level `level`; never empty below level J.
  Children children(int64_t level, int32_t node) const;
  int64_t nodes(int64_t level) const;
  /// The item whose identifier is node `leaf` of level J.
  int32_t item(int32_t leaf) const { return items_[size_t(leaf)]; }
  /// The item with exactly this identifier, or −1.
  int32_t find(std::span<const int32_t> tokens) const;

 private:
  struct Level {
    std::vector<int32_t> first;  ///< [nodes + 1]: children of node n are first[n] … first[n + 1] − 1
    std::vector<int32_t> token;  ///< of each child
  };
  std::vector<Level> levels_;  ///< [J]
  std::vector<int32_t> items_;
};

}  // namespace ace
