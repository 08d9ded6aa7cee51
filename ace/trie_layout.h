#pragma once
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ace/identifiers.h"
#include "kernels/tree.h"

/// How the bytes of a Trie lie, little-endian, every part from a multiple of 64 bytes on, 0 between them:
///
///   u64 magic, version, J, leaves, then J times: vocabulary, nodes, form
///   J times: u32 first[nodes + 1], tokens as `form` says
///   i32 items[leaves]
namespace ace {

struct TrieLayout {
  std::vector<kernels::TreeLevel> levels;  ///< [J], without pointers where the bytes are not there yet
  int64_t leaves = 0;

  int64_t nodes(size_t level) const { return level == levels.size() ? leaves : levels[level].nodes; }
  /// Offsets of the parts.
  struct Places {
    std::vector<int64_t> first, tokens;  ///< [J]
    int64_t items = 0, end = 0;
    std::vector<std::pair<int64_t, int64_t>> gaps;  ///< between the parts: begin, bytes
  };
  /// Stops where a part would end past `limit`; `end` is past it then.
  Places places(int64_t limit) const;
  /// `levels` with pointers into the bytes that begin at `base`.
  std::vector<kernels::TreeLevel> levels_at(const std::byte* base, const Places& places) const;
  std::vector<uint64_t> header() const;
};
/// Reads a header; fails unless the layout that it tells has exactly as many bytes as there are.
TrieLayout parse_trie_header(std::span<const std::byte> bytes, const std::string& origin);

/// Bytes and what keeps them.
struct TrieBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};
TrieBytes build_trie(const Identifiers& identifiers, std::span<const int32_t> pool, const std::string& origin);

}  // namespace ace
