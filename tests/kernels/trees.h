#pragma once
#include <set>

#include "kernels/tree.h"
#include "tests/kernels/arrays.h"

/// Levels of prefix trees, drawn.
namespace kernels {

using Form = TreeLevel::Form;
using Tokens = std::set<int64_t>;

/// A level made from the tokens of each node's children, in any of the forms.
struct Level {
  Level(const std::vector<Tokens>& nodes, int64_t vocabulary, Form form) {
    const int64_t words = mask_words(vocabulary);
    bits.assign(nodes.size() * size_t(words), 0);
    for (size_t n = 0; n < nodes.size(); ++n) {
      for (const int64_t token : nodes[n]) {
        bits[n * size_t(words) + size_t(token / 64)] |= uint64_t(1) << token % 64;
        list8.push_back(uint8_t(token)), list16.push_back(uint16_t(token)), list32.push_back(uint32_t(token));
      }
      first.push_back(uint32_t(list32.size()));
    }
    const void* const tokens[] = {nullptr, bits.data(), list8.data(), list16.data(), list32.data()};
    view = {vocabulary, int64_t(nodes.size()), form, first.data(), tokens[size_t(form)]};
  }
  std::vector<uint32_t> first{0};
  std::vector<uint64_t> bits;
  std::vector<uint8_t> list8;
  std::vector<uint16_t> list16;
  std::vector<uint32_t> list32;
  TreeLevel view;
};

inline uint32_t number(uint64_t seed, uint64_t i, int64_t below) { return philox(seed, i, 5).v[0] % uint32_t(below); }

/// Children for each of `count` nodes: one to many of them, any tokens or the first few.
inline std::vector<Tokens> draw_nodes(int64_t count, int64_t vocabulary, bool counted, uint64_t seed) {
  std::vector<Tokens> nodes;
  uint64_t drawn = 0;
  for (int64_t n = 0; n < count; ++n) {
    Tokens& tokens = nodes.emplace_back();
    const int64_t wanted = 1 + number(seed, drawn++, n % 3 == 0 ? std::min<int64_t>(vocabulary, 400) : 2);
    for (int64_t i = 0; i < std::min(wanted, vocabulary); ++i) {
      tokens.insert(counted ? i : number(seed, drawn++, vocabulary));
    }
  }
  return nodes;
}

/// Whether a level of this vocabulary can have that form.
inline bool fits(Form form, int64_t vocabulary) {
  return vocabulary <= (form == Form::list8 ? 256 : form == Form::list16 ? 65536 : INT32_MAX);
}

inline constexpr Form forms[] = {Form::counted, Form::bits, Form::list8, Form::list16, Form::list32};

}  // namespace kernels
