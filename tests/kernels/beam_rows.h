#pragma once
#include "kernels/beam_step.h"
#include "tests/kernels/trees.h"

namespace kernels {

using Prefix = std::vector<int32_t>;

/// A prefix tree of drawn identifiers.
struct Tree {
  std::vector<int64_t> vocabulary;
  std::vector<std::vector<Prefix>> prefixes;  // by length, in lexicographic order: a prefix's place is its node
  std::vector<Level> levels;

  Tree(const std::vector<int64_t>& sizes, int64_t identifiers, uint64_t seed) : vocabulary(sizes) {
    std::set<Prefix> kept;
    for (int64_t i = 0; i < identifiers; ++i) {
      Prefix one;
      for (const int64_t size : sizes) one.push_back(int32_t(number(seed, uint64_t(i) * 100 + one.size(), size)));
      kept.insert(one);
    }
    for (size_t length = 0; length <= sizes.size(); ++length) {
      std::set<Prefix> shorter;
      for (const Prefix& one : kept) shorter.insert(Prefix(one.begin(), one.begin() + int64_t(length)));
      prefixes.emplace_back(shorter.begin(), shorter.end());
    }
    for (size_t j = 0; j < sizes.size(); ++j) {
      std::vector<Tokens> children(prefixes[j].size());
      for (Prefix longer : prefixes[j + 1]) {
        const int32_t token = longer.back();
        longer.pop_back();
        children[size_t(node(longer))].insert(token);
      }
      levels.emplace_back(children, sizes[j], j % 2 ? Form::list8 : Form::bits);
    }
  }
  int32_t node(const Prefix& prefix) const {
    const auto& all = prefixes[prefix.size()];
    const auto at = std::lower_bound(all.begin(), all.end(), prefix);
    return at != all.end() && *at == prefix ? int32_t(at - all.begin()) : -1;
  }
};

/// Memory for BeamRows on the host, all of it poisoned.
struct HostRows {
  HostRows(int64_t queries, int64_t width, int64_t length)
      : queries(queries),
        width(width),
        length(length),
        score(size_t(queries * width), 77.5),
        rank(size_t(queries * width), -77),
        alive(size_t(queries), -77),
        tokens(size_t(queries * width * length), -77),
        ancestors(size_t(queries * width * (length + 1)), -77),
        input(rank),
        offsets(size_t(queries + 1), -77) {}
  int64_t queries, width, length;
  std::vector<double> score;
  std::vector<int32_t> rank, alive, tokens, ancestors, input, offsets;

  int64_t rows() const { return queries * width; }
  BeamRows view() {
    return {queries,      width,         length,           score.data(), rank.data(),
            alive.data(), tokens.data(), ancestors.data(), input.data(), offsets.data()};
  }
  Prefix prefix(int64_t row) const {
    Prefix result;
    for (int64_t j = 0; j < length; ++j) result.push_back(tokens[size_t(j * rows() + row)]);
    return result;
  }
};

}  // namespace kernels
