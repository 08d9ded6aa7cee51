#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ace/identifiers.h"
#include "kernels/tree.h"

namespace ace {

/// The prefix tree of assigned identifiers, level by level in arrays. Level j holds the distinct prefixes of length j
/// in lexicographic order (level 0: the empty prefix, node 0; level J: whole identifiers). Children of a node are
/// consecutive nodes of the next level, their tokens ascending; so a node's number is also the rank of its prefix.
///
/// All of it is one block of bytes, the same in memory, in a run's `trie.bin` and on a card (trie_layout.h). Per level:
/// where the children of each node begin, and their tokens as rows of bits, as a list where those would be nearly
/// empty, or not at all where they count 0, 1, 2, … as unique tokens do (kernels::TreeLevel). So all prefixes of a 128³
/// grid take 256 KiB of bits and 8 MiB of offsets, whatever the number of items, and an item 4 bytes.
class Trie {
 public:
  /// No tree at all.
  Trie() = default;
  /// Over all items, or over a pool of them (ascending item indices). `origin` names the table in messages.
  explicit Trie(const Identifiers& identifiers, std::span<const int32_t> pool = {},
                const std::string& origin = "identifiers");
  /// Maps a file that holds the bytes of the tree over all of `identifiers`, tokens and all. Any other file fails with
  /// one line; nothing that is accepted leads out of the arrays.
  static Trie open(const std::filesystem::path& file, const Identifiers& identifiers);
  std::span<const std::byte> bytes() const { return bytes_; }

  int64_t positions() const { return int64_t(levels_.size()); }
  int64_t nodes(int64_t level) const { return level == positions() ? leaves_ : levels_[size_t(level)].nodes; }
  struct Children {
    int32_t first;                ///< node number, at the next level, of the first child
    std::vector<int32_t> tokens;  ///< ascending
  };
  /// Children of node `node` of level `level`; never empty below level J.
  Children children(int64_t level, int32_t node) const;
  /// The item whose identifier is node `leaf` of level J.
  int32_t item(int32_t leaf) const { return items_[leaf]; }
  /// The item with exactly this identifier, or −1.
  int32_t find(std::span<const int32_t> tokens) const;
  /// A level as kernels see it, for many nodes at once: tree_masks, tree_children.
  const kernels::TreeLevel& level(int64_t level) const { return levels_[size_t(level)]; }
  /// All levels [J] in the memory of a device, where the tree stays from the first call on.
  std::span<const kernels::TreeLevel> levels_on(tensor::Device device) const;

 private:
  Trie(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& origin);
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::vector<kernels::TreeLevel> levels_;  ///< [J], pointing into bytes_
  const int32_t* items_ = nullptr;
  int64_t leaves_ = 0;
  struct There;
  std::shared_ptr<There> there_;  ///< on a device
};

}  // namespace ace
