#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include "ace/trie.h"
#include "ace/trie_layout.h"
#include "tensor/file.h"

namespace ace {
namespace {

using kernels::TreeLevel;
using tensor::check;

/// The smallest i of 0 … n − 1 for which bad(i); n when there is none.
template <class Bad>
int64_t first_bad(int64_t n, int64_t cost, const Bad& bad) {
  std::atomic<int64_t> first = n;
  kernels::Cpu().parallel(n, cost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (!bad(i)) continue;
      for (int64_t seen = first; i < seen && !first.compare_exchange_weak(seen, i);) {
      }
      return;
    }
  });
  return first;
}

template <class Token>
bool ascends(const Token* token, uint32_t count, int64_t vocabulary) {
  for (uint32_t c = 1; c < count; ++c) {
    if (token[c - 1] >= token[c]) return false;
  }
  return int64_t(token[count - 1]) < vocabulary;
}

/// Whether a node's children, `count` ≥ 1 from number `first` on, have tokens as its form wants them.
bool has_tokens(const TreeLevel& level, int64_t node, uint32_t first, uint32_t count) {
  switch (level.form) {
    case TreeLevel::Form::counted:
      return count <= level.vocabulary;
    case TreeLevel::Form::list8:
      return ascends(static_cast<const uint8_t*>(level.tokens) + first, count, level.vocabulary);
    case TreeLevel::Form::list16:
      return ascends(static_cast<const uint16_t*>(level.tokens) + first, count, level.vocabulary);
    case TreeLevel::Form::list32:
      return ascends(static_cast<const uint32_t*>(level.tokens) + first, count, level.vocabulary);
    case TreeLevel::Form::bits:
      break;
  }
  const int64_t words = kernels::mask_words(level.vocabulary);
  const uint64_t* mask = static_cast<const uint64_t*>(level.tokens) + node * words;
  int64_t bits = 0;
  for (int64_t w = 0; w < words; ++w) bits += std::popcount(mask[w]);
  const bool past = level.vocabulary % 64 != 0 && mask[words - 1] >> (level.vocabulary % 64) != 0;
  return bits == int64_t(count) && !past;
}

/// Every node has children, they follow each other without a gap, and their tokens are as promised. Whatever token and
/// node of a level is asked for then, the answer is a node of the next.
void check_level(const TreeLevel& level, int64_t j, int64_t children, const std::string& origin) {
  const uint32_t* first = level.first;
  check(first[0] == 0 && int64_t(first[level.nodes]) == children,
        "{}: level {}: expected children 0 to {}, found {} to {}: the file is corrupted", origin, j, children, first[0],
        first[level.nodes]);
  // First alone, because the tokens of a node are looked at only when all its children are there.
  int64_t node = first_bad(level.nodes, 2, [&](int64_t n) { return first[n] >= first[n + 1]; });
  if (node == level.nodes) {
    node =
        first_bad(level.nodes, 8, [&](int64_t n) { return !has_tokens(level, n, first[n], first[n + 1] - first[n]); });
  }
  check(node == level.nodes, "{}: level {}, node {}: the children are not in order: the file is corrupted", origin, j,
        node);
}

/// Whether rows begin … end − 1 of the table lead to leaves that name them. Level by level for all of them, so that the
/// waits for memory overlap.
bool finds_rows(const Trie& trie, const int32_t* table, int64_t begin, int64_t end) {
  const int64_t positions = trie.positions();
  std::vector<int32_t> node(size_t(end - begin)), token(node.size());
  for (int64_t j = 0; j < positions; ++j) {
    for (size_t r = 0; r < node.size(); ++r) token[r] = table[(begin + int64_t(r)) * positions + j];
    kernels::tree_children(kernels::Cpu(), trie.level(j), node.data(), token.data(), node.data(), int64_t(node.size()));
    if (std::ranges::find(node, -1) != node.end()) return false;
  }
  for (size_t r = 0; r < node.size(); ++r) {
    if (trie.item(node[r]) != begin + int64_t(r)) return false;
  }
  return true;
}

}  // namespace

Trie Trie::open(const std::filesystem::path& file, const Identifiers& identifiers) {
  const std::string origin = tensor::name_of(file);
  const tensor::MappedFile mapped(file);
  const Trie trie(mapped.bytes(), mapped.owner(), origin);
  std::vector<int64_t> vocabulary;
  for (const TreeLevel& level : trie.levels_) vocabulary.push_back(level.vocabulary);
  check(vocabulary == identifiers.vocabulary, "{}: expected vocabularies [{}], as the identifiers have, found [{}]",
        origin, fmt::join(identifiers.vocabulary, ", "), fmt::join(vocabulary, ", "));
  const int64_t items = identifiers.items(), positions = trie.positions();
  check(trie.leaves_ == items, "{}: expected {} items, as there are identifiers, found {}", origin, items,
        trie.leaves_);
  for (int64_t j = 0; j < positions; ++j) check_level(trie.level(j), j, trie.nodes(j + 1), origin);

  for (const auto& [begin, size] :
       parse_trie_header(mapped.bytes(), origin).places(int64_t(mapped.bytes().size())).gaps) {
    const auto gap = mapped.bytes().subspan(size_t(begin), size_t(size));
    check(std::ranges::all_of(gap, [](std::byte b) { return b == std::byte{0}; }),
          "{}: not as it was written: corrupted", origin);
  }

  // As many leaves as rows, and every row leads to a leaf that names it: so no two rows are the same either.
  constexpr int64_t some = 256;
  const int32_t* const table = identifiers.tokens.data<int32_t>();
  const int64_t batch = first_bad((items + some - 1) / some, some * 16 * positions, [&](int64_t b) {
    return !finds_rows(trie, table, b * some, std::min((b + 1) * some, items));
  });
  check(batch * some >= items, "{}: items {} to {} are not found by their identifiers: not the tree of this table",
        origin, batch * some, std::min((batch + 1) * some, items) - 1);
  return trie;
}

}  // namespace ace
