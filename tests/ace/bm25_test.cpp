#include "ace/bm25.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ace/import.h"
#include "ace/import_files.h"
#include "ace/measures.h"
#include "tests/files.h"

namespace ace {
namespace {

using Ranking = std::vector<int32_t>;

TEST(Bm25, WordsAreRunsOfLettersDigitsAndApostrophes) {
  EXPECT_EQ(words("A Man's dog-house, 2 CATS!"), (std::vector<std::string>{"a", "man's", "dog", "house", "2", "cats"}));
  EXPECT_EQ(words("na\u00EFve \u72AC\u3000x_y"), (std::vector<std::string>{"na\u00EFve", "\u72AC", "x", "y"}));
  EXPECT_TRUE(words(" ,.- ").empty());
}

/// The header's formula, written out naively.
double score(const std::vector<std::string>& documents, size_t d, const std::string& query, double k1, double b) {
  double mean = 0, result = 0;
  for (const auto& document : documents) mean += double(words(document).size()) / double(documents.size());
  for (const auto& term : words(query)) {
    const auto count = [&](size_t i) {
      const auto w = words(documents[i]);
      return double(std::count(w.begin(), w.end(), term));
    };
    double n = 0;
    for (size_t i = 0; i < documents.size(); ++i) n += count(i) > 0;
    const double idf = std::log(1 + (double(documents.size()) - n + 0.5) / (n + 0.5)), f = count(d);
    if (f > 0) result += idf * f * (k1 + 1) / (f + k1 * (1 - b + b * double(words(documents[d]).size()) / mean));
  }
  return result;
}

TEST(Bm25, RanksByTheFormula) {
  const std::vector<std::string> documents = {"a dog runs", "a dog and a dog and a cat", "birds sing in a tree", "dog",
                                              "",           "a cat sleeps on a mat"};
  for (const std::string query : {"dog", "a dog", "cat cat mat", "the tree", "a"}) {
    for (const auto& [k1, b] : {std::pair(1.2, 0.75), std::pair(0.9, 0.4), std::pair(0.0, 0.0)}) {
      Ranking expected;
      for (int32_t d = 0; d < int32_t(documents.size()); ++d) {
        if (score(documents, size_t(d), query, k1, b) > 0) expected.push_back(d);
      }
      std::stable_sort(expected.begin(), expected.end(), [&, k1 = k1, b = b](int32_t x, int32_t y) {
        return score(documents, size_t(x), query, k1, b) > score(documents, size_t(y), query, k1, b) + 1e-6;
      });
      EXPECT_EQ(Bm25(documents, k1, b).rank(query, 10), expected) << query << " " << k1;
    }
  }
}

TEST(Bm25, TiesGoToTheSmallerIndexAndDocumentsWithoutACommonWordAreLeftOut) {
  const Bm25 bm25(std::vector<std::string>{"x", "y", "x", "x"});
  EXPECT_EQ(bm25.rank("x", 10), (Ranking{0, 2, 3}));
  EXPECT_EQ(bm25.rank("x", 2), (Ranking{0, 2}));
  EXPECT_EQ(bm25.rank("z", 10), Ranking{});
  EXPECT_EQ(bm25.rank("", 10), Ranking{});
}

TEST(Bm25, APoolRestrictsTheRanking) {
  const Bm25 bm25(std::vector<std::string>{"x", "x y", "x y", "y"});
  const std::vector<int32_t> pool = {1, 3};
  EXPECT_EQ(bm25.rank("x", 10, pool), Ranking{1});
  EXPECT_EQ(bm25.rank("y", 10, pool), (Ranking{3, 1}));
  EXPECT_THROW(bm25.rank("x", 1, std::vector<int32_t>{4}), tensor::Error);
}

TEST(Bm25, NoDocumentsGiveNoResults) { EXPECT_EQ(Bm25({}).rank("x", 5), Ranking{}); }

Measures baseline(const Corpus& corpus, std::span<const int32_t> pool) {
  std::vector<std::string> documents(corpus.items.size());
  for (const Judgement& j : corpus.judgements[0])
    documents[size_t(j.item)] += " " + corpus.queries[size_t(j.query)].text;
  const Bm25 bm25(documents);
  std::vector<int64_t> ranks;
  for (const Judgement& j : corpus.judgements[2]) {
    ranks.push_back(first_relevant(bm25.rank(corpus.queries[size_t(j.query)].text, 10, pool), std::span(&j.item, 1)));
  }
  return measure(ranks);
}

void expect_near(const Measures& found, const std::array<double, 4>& percent) {
  EXPECT_NEAR(100 * found.recall_1, percent[0], 0.5);
  EXPECT_NEAR(100 * found.recall_5, percent[1], 0.5);
  EXPECT_NEAR(100 * found.recall_10, percent[2], 0.5);
  EXPECT_NEAR(100 * found.mrr_10, percent[3], 0.5);
}

TEST(Bm25, AgreesWithKnownFiguresOnRealCaptions) {
  if (real_data().empty()) GTEST_SKIP() << "ACE_CORPORA is not set";
  const Corpus flickr = corpus_of(read_flickr8k(real_data() / "flickr8k_clip"), "4+1");
  expect_near(baseline(flickr, {}), {58.70, 79.60, 85.70, 67.85});
  const Corpus clotho = corpus_of(read_clotho(real_data() / "clotho"), "4+1");
  expect_near(baseline(clotho, {}), {41.82, 57.51, 63.06, 48.40});
  std::vector<int32_t> pool;
  for (size_t i = 0; i < clotho.items.size(); ++i) {
    if (clotho.items[i].split == "test") pool.push_back(int32_t(i));
  }
  expect_near(baseline(clotho, pool), {54.83, 70.05, 74.64, 61.35});
}

}  // namespace
}  // namespace ace
