#include "tests/kernels/beam_rows.h"

namespace kernels {
namespace {

constexpr int32_t first_input = 1000;

/// top_k and beam_step on the CPU; without a tree: its vocabularies alone.
struct Stepped {
  HostRows rows;
  std::vector<Extension> found;
};
Stepped step(HostRows& from, const std::vector<double>& logits, const Tree& tree, bool constrained, int64_t width) {
  const int64_t vocabulary = tree.vocabulary[size_t(from.length)];
  const TreeLevel level = constrained ? tree.levels[size_t(from.length)].view : TreeLevel{};
  Stepped to{HostRows(from.queries, width, from.length + 1), std::vector<Extension>(size_t(from.queries * width))};
  const Beams<double> beams{logits.data(), from.score.data(), from.rank.data(), from.alive.data(),
                            from.queries,  from.width,        vocabulary,       level};
  top_k(Cpu(), beams, width, to.found.data(), to.rows.alive.data());
  beam_step(Cpu(), from.view(), to.found.data(), level, first_input, to.rows.view());
  return to;
}

HostRows start(int64_t queries) {
  HostRows rows(queries, 1, 0);
  beam_start(Cpu(), rows.view());
  return rows;
}

void expect_step(const HostRows& from, const Stepped& to, const Tree& tree, bool constrained) {
  const HostRows& rows = to.rows;
  for (int64_t q = 0; q <= rows.queries; ++q) EXPECT_EQ(rows.offsets[size_t(q)], q * rows.width);
  for (int64_t r = 0; r < rows.rows(); ++r) {
    SCOPED_TRACE(testing::Message() << "length " << rows.length << ", row " << r);
    const int64_t q = r / rows.width;
    const bool lives = r % rows.width < rows.alive[size_t(q)];
    // A dead row has something that can be computed with: a past in its own query.
    const int64_t parent = lives ? to.found[size_t(r)].row : q * from.width;
    EXPECT_EQ(parent / from.width, q);
    const int32_t token = lives ? to.found[size_t(r)].token : 0;
    Prefix expected = from.prefix(parent);
    expected.push_back(token);
    EXPECT_EQ(rows.prefix(r), expected);
    EXPECT_EQ(rows.input[size_t(r)], first_input + token);
    for (int64_t p = 0; p < rows.length; ++p) {
      EXPECT_EQ(rows.ancestors[size_t(p * rows.rows() + r)], from.ancestors[size_t(p * from.rows() + parent)]);
    }
    EXPECT_EQ(rows.ancestors[size_t(rows.length * rows.rows() + r)], r);
    EXPECT_EQ(rows.score[size_t(r)], lives ? to.found[size_t(r)].score : -infinity<double>);
    if (!lives) continue;
    int32_t place = 0;
    for (int32_t i = 0; i < rows.alive[size_t(q)]; ++i) place += rows.prefix(q * rows.width + i) < expected;
    EXPECT_EQ(rows.rank[size_t(r)], constrained ? tree.node(expected) : place);
  }
}

TEST(BeamStep, KeepsEveryPrefixWithItsNodeItsPastAndWhatTheDecoderReads) {
  const Tree tree({5, 7, 6, 3}, 40, 1);
  for (const bool constrained : {true, false}) {
    for (const int64_t beam : {1, 3, 12, 50}) {
      HostRows kept = start(4);
      EXPECT_EQ(kept.alive, (std::vector<int32_t>{1, 1, 1, 1}));
      EXPECT_EQ(kept.ancestors, (std::vector<int32_t>{0, 1, 2, 3}));
      EXPECT_EQ(kept.offsets, (std::vector<int32_t>{0, 1, 2, 3, 4}));
      EXPECT_EQ(kept.score, std::vector<double>(4, 0.0));
      EXPECT_EQ(kept.input, kept.rank);
      EXPECT_EQ(kept.rank, std::vector<int32_t>(4, 0));
      for (size_t j = 0; j < tree.vocabulary.size(); ++j) {
        const auto logits = draw<double>(kept.rows() * tree.vocabulary[j], 10 * j + 1);
        const Stepped next = step(kept, logits, tree, constrained, beam);
        expect_step(kept, next, tree, constrained);
        kept = next.rows;
      }
    }
  }
}

TEST(BeamStep, AQueryWithoutNumbersStaysWithoutAndOneWithoutPrefixesStaysEmpty) {
  const Tree tree({5, 4, 3}, 6, 2);
  HostRows kept = start(3);
  auto logits = draw<double>(15, 3);
  for (const Prefix& one : tree.prefixes[1])
    logits[size_t(5 + one[0])] = -infinity<double>;  // query 1: none of its own
  ASSERT_LT(tree.prefixes[1].size(), 5u);
  logits[10] = std::numeric_limits<double>::quiet_NaN();  // query 2
  for (int64_t j = 0; j < 3; ++j) {
    const Stepped next = step(kept, logits, tree, true, 4);
    expect_step(kept, next, tree, true);
    EXPECT_GT(next.rows.alive[0], 0);
    EXPECT_EQ(next.rows.alive[1], 0);
    EXPECT_EQ(next.rows.alive[2], -1);
    kept = next.rows;
    logits = draw<double>(kept.rows() * 5, uint64_t(j) + 4);
  }
}

TEST(BeamStep, IsTheSameWithAnyNumberOfThreads) {
  const Tree tree({50, 40}, 1500, 5);
  for (const bool constrained : {true, false}) {
    expect_same_for_any_threads([&] {
      HostRows kept = start(30);
      for (const int64_t size : tree.vocabulary) {
        kept = step(kept, draw<double>(kept.rows() * size, 6), tree, constrained, 40).rows;
      }
      std::vector<int32_t> all = kept.rank;
      all.insert(all.end(), kept.tokens.begin(), kept.tokens.end());
      all.insert(all.end(), kept.ancestors.begin(), kept.ancestors.end());
      return all;
    });
  }
}

}  // namespace
}  // namespace kernels
