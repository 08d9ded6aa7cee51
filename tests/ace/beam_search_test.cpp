#include "ace/beam_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "kernels/backend.h"
#include "tests/ace/tiny.h"

namespace ace {
namespace {

using tensor::DType;
using tensor::Shape;
using Queries = std::vector<std::vector<int32_t>>;
using Row = std::vector<int32_t>;
using Found = std::vector<std::vector<Hypothesis>>;

constexpr double infinity = std::numeric_limits<double>::infinity();

Found search(const Retriever& model, const Queries& queries, const Trie& trie, int64_t beam, bool constrained = true) {
  return beam_search(model, nn::TextBatch::pack(queries), trie, {beam, constrained});
}

/// Beam search from the definition, over a dictionary of prefixes: scores by prefix, best first.
std::vector<std::pair<double, Row>> naive(const Retriever& model, const std::vector<int32_t>& query,
                                          const std::vector<Row>& allowed, int64_t beam) {
  std::vector<std::pair<double, Row>> kept{{0.0, {}}};
  for (int64_t level = 0; level < model.positions(); ++level) {
    std::map<Row, double> extended;
    for (const auto& [score, prefix] : kept) {
      const std::vector<double> log_p = tiny::next_log_p(model, query, prefix);
      for (const Row& row : allowed) {
        if (!std::equal(prefix.begin(), prefix.end(), row.begin())) continue;
        extended[Row(row.begin(), row.begin() + level + 1)] = score + log_p[size_t(row[size_t(level)])];
      }
    }
    kept.clear();
    for (const auto& [prefix, score] : extended) kept.push_back({score, prefix});
    std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    if (int64_t(kept.size()) > beam) kept.resize(size_t(beam));
  }
  return kept;
}

std::vector<Row> rows_of(const Identifiers& identifiers, std::span<const int32_t> pool = {}) {
  std::vector<Row> rows;
  for (int32_t i = 0; i < identifiers.items(); ++i) {
    if (!pool.empty() && std::find(pool.begin(), pool.end(), i) == pool.end()) continue;
    rows.emplace_back(identifiers.row(i).begin(), identifiers.row(i).end());
  }
  return rows;
}

std::vector<Row> all_rows(const std::vector<int64_t>& vocabulary) {
  std::vector<Row> rows{{}};
  for (const int64_t size : vocabulary) {
    std::vector<Row> longer;
    for (const Row& row : rows) {
      for (int32_t token = 0; token < size; ++token) {
        longer.push_back(row);
        longer.back().push_back(token);
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

void expect_same(const std::vector<Hypothesis>& found, const std::vector<std::pair<double, Row>>& expected,
                 double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i].score, expected[i].first, tolerance);
    EXPECT_EQ(found[i].tokens, expected[i].second) << "rank " << i;
  }
}

/// One distinct item after another, in order of score, each with its own identifier.
void expect_well_formed(const std::vector<Hypothesis>& found, const Identifiers& identifiers, int64_t beam) {
  EXPECT_LE(int64_t(found.size()), beam);
  std::set<int32_t> items;
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_GE(found[i].item, 0);
    ASSERT_LT(found[i].item, identifiers.items());
    EXPECT_TRUE(items.insert(found[i].item).second) << "item " << found[i].item << " twice";
    EXPECT_TRUE(std::ranges::equal(found[i].tokens, identifiers.row(found[i].item)));
    EXPECT_TRUE(std::isfinite(found[i].score));
    if (i > 0) {
      EXPECT_LE(found[i].score, found[i - 1].score);
    }
  }
}

/// All weights 0: every token of a vocabulary has the same probability.
Retriever uniform(const RetrieverOptions& options) {
  Retriever model = tiny::retriever(options, 1);
  for (const nn::Parameter& p : nn::parameters(model)) tensor::fill_zero(p.variable.value());
  return model;
}

TEST(BeamSearch, WithABeamOfAllItemsItRanksThemLikeBruteForce) {
  tensor::Random random(2);
  for (int64_t depth = 1; depth <= 6; ++depth) {
    for (int trial = 0; trial < 4; ++trial) {
      std::vector<int64_t> vocabulary;
      for (int64_t j = 0; j < depth; ++j) vocabulary.push_back(1 + random.below(4));  // a vocabulary of one too
      const Identifiers identifiers = tiny::draw_table(vocabulary, 1 + random.below(30), random);
      const Retriever model = tiny::retriever(tiny::sizes(vocabulary), random.uint64(), DType::f64);
      const Queries queries = tiny::draw_queries(2, 5, random);
      const Tensor scores = score_identifiers(model, nn::TextBatch::pack(queries), identifiers.tokens);
      const Found found = search(model, queries, Trie(identifiers), identifiers.items() + 5);
      for (size_t q = 0; q < queries.size(); ++q) {
        expect_well_formed(found[q], identifiers, identifiers.items());
        ASSERT_EQ(int64_t(found[q].size()), identifiers.items());
        for (const Hypothesis& h : found[q]) {
          EXPECT_NEAR(h.score, scores.data<double>()[int64_t(q) * identifiers.items() + h.item], 1e-11);
        }
      }
    }
  }
}

TEST(BeamSearch, EqualsABeamSearchOverADictionaryOfPrefixes) {
  tensor::Random random(3);
  for (int trial = 0; trial < 30; ++trial) {
    std::vector<int64_t> vocabulary;
    for (int64_t j = 1 + random.below(5); j > 0; --j) vocabulary.push_back(1 + random.below(6));
    const Identifiers identifiers = tiny::draw_table(vocabulary, 1 + random.below(40), random);
    std::vector<int32_t> pool;
    for (int32_t i = 0; trial % 2 && i < identifiers.items(); ++i) {
      if (random.below(3) == 0 || i == 0) pool.push_back(i);
    }
    const Retriever model = tiny::retriever(tiny::sizes(vocabulary), random.uint64(), DType::f64);
    const Queries queries = tiny::draw_queries(2, 4, random);
    const int64_t beam = 1 + random.below(7);
    const Found found = search(model, queries, Trie(identifiers, pool), beam);
    for (size_t q = 0; q < queries.size(); ++q) {
      expect_well_formed(found[q], identifiers, beam);
      expect_same(found[q], naive(model, queries[q], rows_of(identifiers, pool), beam), 1e-11);
      for (const Hypothesis& h : found[q]) {
        EXPECT_TRUE(pool.empty() || std::find(pool.begin(), pool.end(), h.item) != pool.end());
      }
    }
  }
}

TEST(BeamSearch, UnconstrainedFindsIdentifiersThatNoItemHasAndKeepsTheirRank) {
  tensor::Random random(4);
  int64_t misses_above_hits = 0;
  for (int trial = 0; trial < 10; ++trial) {
    const std::vector<int64_t> vocabulary{4, 3, 2};
    const Identifiers identifiers = tiny::draw_table(vocabulary, 6, random);
    const Trie trie(identifiers);
    const Retriever model = tiny::retriever(tiny::sizes(vocabulary), random.uint64(), DType::f64);
    const Queries queries = tiny::draw_queries(2, 4, random);
    for (const int64_t beam : {3, 24}) {
      const Found found = search(model, queries, trie, beam, false);
      for (size_t q = 0; q < queries.size(); ++q) {
        expect_same(found[q], naive(model, queries[q], all_rows(vocabulary), beam), 1e-11);
        for (size_t i = 0; i < found[q].size(); ++i) {
          EXPECT_EQ(found[q][i].item, trie.find(found[q][i].tokens));
          misses_above_hits += i > 0 && found[q][i].item >= 0 && found[q][i - 1].item == -1;
        }
      }
    }
    // A tree of everything restricts nothing.
    const Identifiers whole = tiny::table(vocabulary, all_rows(vocabulary));
    expect_same(search(model, queries, Trie(whole), 24)[0], naive(model, queries[0], all_rows(vocabulary), 24), 1e-11);
  }
  EXPECT_GT(misses_above_hits, 0);
}

TEST(BeamSearch, ScoresAreLogSoftmaxOverTheWholeVocabularyBeforeTheRestriction) {
  // A uniform model over 4 · 8 identifiers, of which two are assigned: each has probability 1/32, not 1/2.
  const Identifiers identifiers = tiny::table({4, 8}, {{1, 5}, {1, 6}});
  const Found found = search(uniform(tiny::sizes({4, 8})), {{2}}, Trie(identifiers), 10);
  ASSERT_EQ(found[0].size(), 2u);
  for (const Hypothesis& h : found[0]) EXPECT_NEAR(h.score, -std::log(32.0), 1e-6);
}

TEST(BeamSearch, ABeamWiderThanChildrenAndCorpusGivesEveryItemOnceAndNoFiller) {
  tensor::Random random(5);
  const std::vector<int64_t> vocabulary{8, 8, 4};
  const Identifiers identifiers = tiny::draw_table(vocabulary, 9, random);
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 6);
  for (const int64_t beam : {int64_t(50), int64_t(100000)}) {
    const Found found = search(model, tiny::draw_queries(3, 4, random), Trie(identifiers), beam);
    for (const auto& list : found) {
      EXPECT_EQ(int64_t(list.size()), identifiers.items());
      expect_well_formed(list, identifiers, beam);
    }
  }
}

TEST(BeamSearch, OneItemIsFoundByEveryBeam) {
  const Identifiers identifiers = tiny::table({3, 1, 5}, {{2, 0, 4}});
  const Retriever model = tiny::retriever(tiny::sizes({3, 1, 5}), 7);
  for (const int64_t beam : {1, 2, 50}) {
    const Found found = search(model, {{4, 5, 2}}, Trie(identifiers), beam);
    ASSERT_EQ(found[0].size(), 1u);
    EXPECT_EQ(found[0][0].item, 0);
  }
}

TEST(BeamSearch, ScoresOfAVocabularyOfOneAreZero) {
  const Found found = search(tiny::retriever(tiny::sizes({1, 1}), 8), {{2}}, Trie(tiny::table({1, 1}, {{0, 0}})), 5);
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_NEAR(found[0][0].score, 0, 1e-7);
}

TEST(BeamSearch, TheFirstStepExpandsOneRow) {
  // Were the beam filled with copies of the start, its copies would crowd out all other tokens.
  const std::vector<int64_t> vocabulary{6, 2};
  const Identifiers identifiers = tiny::table(vocabulary, all_rows(vocabulary));
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 9);
  const Found found = search(model, {{5, 2}}, Trie(identifiers), 12);
  expect_well_formed(found[0], identifiers, 12);
  EXPECT_EQ(found[0].size(), 12u);
}

TEST(BeamSearch, AnExtensionOfProbabilityZeroIsNeverAResult) {
  tensor::Random random(10);
  const std::vector<int64_t> vocabulary{3, 4};
  const Identifiers identifiers = tiny::table(vocabulary, all_rows(vocabulary));
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 11);
  tiny::parameter(model, "heads.0.bias").value().data<float>()[1] = float(-infinity);
  tiny::parameter(model, "heads.1.bias").value().data<float>()[3] = float(-infinity);
  for (const bool constrained : {true, false}) {
    const Found found = search(model, tiny::draw_queries(2, 3, random), Trie(identifiers), 50, constrained);
    for (const auto& list : found) {
      EXPECT_EQ(list.size(), 6u);  // 2 of 3 times 3 of 4
      for (const Hypothesis& h : list) {
        EXPECT_NE(h.tokens[0], 1);
        EXPECT_NE(h.tokens[1], 3);
        EXPECT_TRUE(std::isfinite(h.score));
      }
    }
  }
}

TEST(BeamSearch, WhenEveryAssignedIdentifierHasProbabilityZeroNothingIsFound) {
  const std::vector<int64_t> vocabulary{3, 4, 2};
  const Identifiers identifiers = tiny::table(vocabulary, {{1, 0, 0}, {1, 2, 1}, {1, 3, 0}});
  for (const char* head : {"heads.0.bias", "heads.1.bias", "heads.2.bias"}) {
    const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 12);
    const Tensor bias = tiny::parameter(model, head).value();
    for (float& b : bias.values<float>()) b = float(-infinity);
    // One token is left, so that the row is a distribution; at position 0 no identifier has it, at the others one.
    bias.data<float>()[0] = 0;
    const Found found = search(model, {{5, 2}, {2}}, Trie(identifiers), 5);
    ASSERT_EQ(found.size(), 2u);
    const size_t left = head == std::string("heads.0.bias") ? 0 : head == std::string("heads.1.bias") ? 1 : 2;
    for (const auto& list : found) EXPECT_EQ(list.size(), left) << head;
  }
}

TEST(BeamSearch, AHugeNegativeScoreIsAScoreAndNotAMask) {
  // Where a mask were −1e9, tokens outside the tree would beat these.
  const std::vector<int64_t> vocabulary{4, 3};
  const Identifiers identifiers = tiny::table(vocabulary, {{1, 0}, {1, 2}, {3, 1}});
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 13);
  tiny::parameter(model, "heads.0.bias").value().data<float>()[1] = -1e30f;
  const Found found = search(model, {{5, 2}}, Trie(identifiers), 10);
  expect_well_formed(found[0], identifiers, 10);
  ASSERT_EQ(found[0].size(), 3u);
  EXPECT_EQ(found[0][0].item, 2);
  EXPECT_NEAR(found[0][1].score, -1e30, 1e24);
}

TEST(BeamSearch, WeightsThatAreNotNumbersEndInOneClearError) {
  const std::vector<int64_t> vocabulary{4, 3};
  const Trie trie(tiny::table(vocabulary, {{1, 0}, {1, 2}, {3, 1}}));
  const float nan = std::numeric_limits<float>::quiet_NaN(), huge = std::numeric_limits<float>::max();
  for (const float bad : {nan, float(infinity), huge}) {
    for (const char* name : {"heads.0.weight", "heads.1.bias", "encoder.layers.0.attention.key.weight"}) {
      if (bad != nan && name != std::string("heads.0.weight")) continue;
      const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 14);
      const Tensor weight = tiny::parameter(model, name).value();
      for (int64_t i = 0; i < weight.elements(); ++i) weight.data<float>()[i] = i % 2 ? bad : -bad;
      for (const bool constrained : {true, false}) {
        const std::string message = message_of([&] { search(model, {{5, 2}}, trie, 4, constrained); });
        EXPECT_TRUE(message.starts_with("beam search: the model's scores are not numbers")) << name << ": " << message;
      }
    }
  }
}

TEST(BeamSearch, ABeamOfNoneAndATreeOfOtherPositionsAreRefused) {
  const Retriever model = tiny::retriever(tiny::sizes({4, 3}), 15);
  EXPECT_EQ(message_of([&] {
              search(model, {{2}}, Trie(tiny::table({4, 3}, {{1, 0}})), 0);
            }),
            "beam search: expected a beam of at least 1, found 0");
  EXPECT_EQ(message_of([&] { search(model, {{2}}, Trie(tiny::table({4}, {{1}})), 1); }),
            "beam search: expected identifiers of 2 positions, as the model has, found 1");
  EXPECT_EQ(message_of([&] {
              search(model, {{2}}, Trie(tiny::table({4, 5}, {{1, 4}})), 1);
            }),
            "beam search: expected a vocabulary of 3 at position 1, as the model has, found 5");
}

TEST(BeamSearch, EqualScoresPreferTheSmallerPrefixAndAtTheEndTheSmallerItem) {
  // All twelve identifiers have the same score. A beam of 5 keeps the 5 smallest prefixes of each length.
  const std::vector<int64_t> vocabulary{3, 2, 2};
  std::vector<Row> rows = all_rows(vocabulary);
  std::reverse(rows.begin(), rows.end());  // item 11 has the smallest identifier
  const Identifiers identifiers = tiny::table(vocabulary, rows);
  const Retriever model = uniform(tiny::sizes(vocabulary));
  const Found found = search(model, {{2}, {4, 2}}, Trie(identifiers), 5);
  for (const auto& list : found) {
    std::vector<int32_t> items;
    for (const Hypothesis& h : list) items.push_back(h.item);
    EXPECT_EQ(items, (std::vector<int32_t>{7, 8, 9, 10, 11}));
  }
}

TEST(BeamSearch, EqualScoresOfDifferentPrefixesPreferTheSmallerPrefixNotTheBetterOne) {
  // p = (1/3, 2/3) at both positions: (0, 1) and (1, 0) tie, and prefix (1) stands before prefix (0).
  const Retriever model = uniform(tiny::sizes({2, 2}));
  for (const char* bias : {"heads.0.bias", "heads.1.bias"}) {
    tiny::parameter(model, bias).value().data<float>()[1] = std::log(2.0f);
  }
  const Identifiers identifiers = tiny::table({2, 2}, {{1, 0}, {0, 1}, {0, 0}, {1, 1}});
  for (const bool constrained : {true, false}) {
    const Found found = search(model, {{2}}, Trie(identifiers), 2, constrained);
    ASSERT_EQ(found[0].size(), 2u);
    EXPECT_EQ(found[0][0].tokens, (Row{1, 1}));
    EXPECT_EQ(found[0][1].tokens, (Row{0, 1}));
  }
}

TEST(BeamSearch, UnconstrainedTiesAmongIdentifiersThatNoItemHasFallByTheirTokens) {
  const std::vector<int64_t> vocabulary{2, 2};
  const Found found =
      search(uniform(tiny::sizes(vocabulary)), {{2}}, Trie(tiny::table(vocabulary, {{1, 0}})), 4, false);
  ASSERT_EQ(found[0].size(), 4u);
  EXPECT_EQ(found[0][0].tokens, (Row{1, 0}));  // an item before no item
  EXPECT_EQ(found[0][1].tokens, (Row{0, 0}));
  EXPECT_EQ(found[0][2].tokens, (Row{0, 1}));
  EXPECT_EQ(found[0][3].tokens, (Row{1, 1}));
}

/// The same items in the same order, but where scores are closer than `relative`; scores as close. Relative to the
/// score where that is beyond 1: it is a sum of f32 logarithms, and near −19 those lie 2e-6 apart.
void expect_alike(const std::vector<Hypothesis>& a, const std::vector<Hypothesis>& b, double relative) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const double tolerance = relative * std::max(1.0, std::abs(b[i].score));
    EXPECT_NEAR(a[i].score, b[i].score, tolerance);
    if (a[i].item == b[i].item) continue;
    const auto other = std::ranges::find(b, a[i].item, &Hypothesis::item);
    const double score = other == b.end() ? b.back().score : other->score;
    EXPECT_NEAR(a[i].score, score, tolerance) << "rank " << i;
  }
}

TEST(BeamSearch, AResultDoesNotDependOnTheBatchOrTheNumberOfThreads) {
  tensor::Random random(16);
  const std::vector<int64_t> vocabulary{8, 8, 8, 4};
  const Identifiers identifiers = tiny::draw_table(vocabulary, 300, random);
  const Trie trie(identifiers);
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 17);
  const Queries queries = tiny::draw_queries(15, 9, random);
  kernels::set_threads(1);
  const Found reference = search(model, queries, trie, 10);
  for (const int threads : {1, 2}) {
    kernels::set_threads(threads);
    for (const size_t batch : {size_t(1), size_t(2), size_t(7), queries.size()}) {
      for (size_t begin = 0; begin < queries.size(); begin += batch) {
        const Queries some(queries.begin() + int64_t(begin),
                           queries.begin() + int64_t(std::min(begin + batch, queries.size())));
        const Found found = search(model, some, trie, 10);
        for (size_t q = 0; q < some.size(); ++q) expect_alike(found[q], reference[begin + q], 1e-5);
      }
    }
  }
  kernels::set_threads(0);
}

TEST(BeamSearch, TheSameSearchTwiceGivesTheSameBits) {
  tensor::Random random(18);
  const std::vector<int64_t> vocabulary{8, 8, 4};
  const Identifiers identifiers = tiny::draw_table(vocabulary, 100, random);
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 19);
  const Queries queries = tiny::draw_queries(6, 5, random);
  const Found a = search(model, queries, Trie(identifiers), 8), b = search(model, queries, Trie(identifiers), 8);
  for (size_t q = 0; q < a.size(); ++q) {
    ASSERT_EQ(a[q].size(), b[q].size());
    for (size_t i = 0; i < a[q].size(); ++i) {
      EXPECT_EQ(a[q][i].score, b[q][i].score);
      EXPECT_EQ(a[q][i].item, b[q][i].item);
    }
  }
}

TEST(BeamSearch, AQueryOfOneTokenAndOneOfTheGreatestLengthAreAnswered) {
  tensor::Random random(20);
  const std::vector<int64_t> vocabulary{4, 4};
  const Identifiers identifiers = tiny::draw_table(vocabulary, 10, random);
  const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 21, DType::f64);
  std::vector<int32_t> longest(1024, 7);
  longest.back() = 2;
  const Queries queries{{2}, longest};
  const Found found = search(model, queries, Trie(identifiers), 3);
  for (size_t q = 0; q < 2; ++q) expect_same(found[q], naive(model, queries[q], rows_of(identifiers), 3), 1e-11);
}

}  // namespace
}  // namespace ace
