#pragma once
#include <algorithm>
#include <numeric>

#include "kernels/top_k.h"
#include "tests/kernels/trees.h"

namespace kernels {

/// A drawn step of a beam search, and what may follow as a level of a tree. Dead rows hold NaN, and a node that no tree
/// has.
template <class T>
struct Step {
  std::vector<T> logits;
  std::vector<double> score;
  std::vector<int32_t> rank, alive;
  std::vector<Tokens> followers;  // by node of the tree, which is a row's rank
  int64_t width = 1, vocabulary;
  Level level{{}, 1, Form::bits};  // of `followers`

  /// alive_rows: of each query. share: of the tokens, how many may follow.
  Step(const std::vector<int32_t>& alive_rows, int64_t cols, double share, uint64_t seed)
      : alive(alive_rows), vocabulary(cols) {
    for (const int32_t count : alive) width = std::max<int64_t>(width, count);
    const int64_t all = rows();
    logits = draw<T>(all * cols, seed, -5, 5);
    score = draw<double>(all, seed + 1, -6, 0);
    followers.resize(size_t(all));
    rank.resize(size_t(all));
    const std::vector<double> chance = draw<double>(all * cols, seed + 2, 0, 1);
    for (int64_t r = 0; r < all; ++r) {
      rank[size_t(r)] = int32_t((r * stride() + 3) % all);  // beams stand by score, their prefixes anyhow
      for (int64_t t = 0; t < cols; ++t) {
        if (chance[size_t(r * cols + t)] <= share) followers[size_t(rank[size_t(r)])].insert(t);
      }
      const double nan = std::numeric_limits<double>::quiet_NaN();
      if (lives(r)) continue;
      std::fill_n(logits.begin() + r * cols, cols, T(float(nan)));
      score[size_t(r)] = nan, rank[size_t(r)] = -12345;
    }
    for (int64_t q = 0; q < queries(); ++q) {
      const auto first = score.begin() + q * width;
      std::sort(first, first + std::max(0, alive[size_t(q)]), std::greater<>());
    }
    level = Level(followers, vocabulary, Form::bits);
  }
  int64_t queries() const { return int64_t(alive.size()); }
  int64_t rows() const { return queries() * width; }
  bool lives(int64_t r) const { return r % width < alive[size_t(r / width)]; }

  /// Without a level every token may follow.
  Beams<T> beams(const TreeLevel& restriction) const {
    return {logits.data(), score.data(), rank.data(), alive.data(), queries(), width, vocabulary, restriction};
  }
  Beams<T> beams() const { return beams(level.view); }

 private:
  int64_t stride() const {  // no common divisor with the number of rows
    for (int64_t s = 7;; s += 2) {
      if (std::gcd(s, rows()) == 1) return s;
    }
  }
};

inline void expect_equal(const Extension& x, const Extension& y, double tolerance = 0) {
  EXPECT_NEAR(x.score, y.score, tolerance * std::max(1.0, std::abs(y.score)));
  EXPECT_EQ(x.row, y.row);
  EXPECT_EQ(x.token, y.token);
  EXPECT_EQ(x.rank, y.rank);
}

}  // namespace kernels
