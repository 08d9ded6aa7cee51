#include "ace/trie_layout.h"

#include <cstring>

namespace ace {
namespace {

using kernels::TreeLevel;
using tensor::check;

constexpr uint64_t magic = 0x0a45495254454341;  // "ACETRIE\n"
constexpr uint64_t version = 1, most_positions = 0xffff, most_nodes = 0x7fffffff, most_tokens = uint64_t(1) << 30;

int64_t header_bytes(uint64_t positions) { return int64_t(8 * (4 + 3 * positions)); }

int64_t token_bytes(const TreeLevel& level, int64_t children) {
  switch (level.form) {
    case TreeLevel::Form::counted:
      return 0;
    case TreeLevel::Form::bits:
      return 8 * level.nodes * kernels::mask_words(level.vocabulary);
    case TreeLevel::Form::list8:
      return children;
    case TreeLevel::Form::list16:
      return 2 * children;
    case TreeLevel::Form::list32:
      return 4 * children;
  }
  return 0;
}

}  // namespace

TrieLayout::Places TrieLayout::places(int64_t limit) const {
  Places places;
  places.end = header_bytes(levels.size());
  const auto place = [&](int64_t bytes) {
    const int64_t begin = (places.end + 63) / 64 * 64;
    places.gaps.emplace_back(places.end, begin - places.end);
    places.end = begin + bytes;
    return begin;
  };
  for (size_t j = 0; j < levels.size() && places.end <= limit; ++j) {
    places.first.push_back(place(4 * (levels[j].nodes + 1)));
    places.tokens.push_back(place(token_bytes(levels[j], nodes(j + 1))));
  }
  if (places.end <= limit) places.items = place(4 * leaves);
  return places;
}

std::vector<TreeLevel> TrieLayout::levels_at(const std::byte* base, const Places& places) const {
  std::vector<TreeLevel> result = levels;
  for (size_t j = 0; j < result.size(); ++j) {
    result[j].first = reinterpret_cast<const uint32_t*>(base + places.first[j]);
    result[j].tokens = base + places.tokens[j];
  }
  return result;
}

std::vector<uint64_t> TrieLayout::header() const {
  std::vector<uint64_t> words = {magic, version, levels.size(), uint64_t(leaves)};
  for (const TreeLevel& level : levels) {
    words.insert(words.end(), {uint64_t(level.vocabulary), uint64_t(level.nodes), uint64_t(level.form)});
  }
  return words;
}

TrieLayout parse_trie_header(std::span<const std::byte> bytes, const std::string& origin) {
  const int64_t size = int64_t(bytes.size());
  const auto word = [&](uint64_t i) {
    uint64_t value;
    std::memcpy(&value, bytes.data() + 8 * i, 8);
    return value;
  };
  check(size >= header_bytes(0) && word(0) == magic, "{}: not a search tree", origin);
  check(word(1) == version, "{}: expected version {}, found {}", origin, version, word(1));
  const uint64_t positions = word(2);
  check(positions >= 1 && positions <= most_positions, "{}: expected 1 to {} positions, found {}", origin,
        most_positions, positions);
  check(size >= header_bytes(positions), "{}: cut off in its header", origin);
  const auto number = [&](uint64_t i, const char* what, uint64_t low, uint64_t high) {
    check(word(i) >= low && word(i) <= high, "{}: expected {} from {} to {}, found {}", origin, what, low, high,
          word(i));
    return int64_t(word(i));
  };
  TrieLayout layout;
  layout.leaves = number(3, "a number of leaves", 1, most_nodes);
  for (uint64_t j = 0; j < positions; ++j) {
    TreeLevel& level = layout.levels.emplace_back();
    level.vocabulary = number(4 + 3 * j, "a vocabulary", 1, most_tokens);
    level.nodes = number(5 + 3 * j, "a number of nodes", 1, j == 0 ? 1 : most_nodes);
    level.form = TreeLevel::Form(number(6 + 3 * j, "a form", 0, uint64_t(TreeLevel::Form::list32)));
  }
  const int64_t expected = layout.places(size).end;
  check(expected <= size, "{}: cut off: expected at least {} bytes, found {}", origin, expected, size);
  check(expected == size, "{}: expected {} bytes, found {}", origin, expected, size);
  return layout;
}

}  // namespace ace
