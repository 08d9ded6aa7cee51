#include "ace/sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "ace/bm25.h"
#include "ace/checksum.h"
#include "ace/measures.h"
#include "ace/sample_scene.h"
#include "ace/sample_words.h"
#include "ace/settings.h"
#include "tensor/error.h"

namespace ace {
namespace {

const Corpus& thousand() {
  static const Corpus corpus = make_sample(1000, 1);
  return corpus;
}

std::span<const tensor::f16> row(const Corpus& corpus, int64_t item) {
  return corpus.embeddings.values<tensor::f16>().subspan(size_t(item * corpus.width()), size_t(corpus.width()));
}
double cosine(const Corpus& corpus, int64_t a, int64_t b) {
  double sum = 0;
  for (int64_t i = 0; i < corpus.width(); ++i)
    sum += double(row(corpus, a)[size_t(i)]) * double(row(corpus, b)[size_t(i)]);
  return sum;
}

std::string checksum_of(std::string_view text) { return Checksum().add(text).text(); }
std::string checksum_of(const Corpus& corpus) {
  return Checksum().add(std::as_bytes(corpus.embeddings.values<tensor::f16>())).text();
}

std::string all_text(const Corpus& corpus) {
  std::string text;
  for (const Item& item : corpus.items) text += item.id + item.split + item.title + item.text;
  for (const Query& query : corpus.queries) text += query.id + query.text;
  for (const auto& judgements : corpus.judgements) {
    for (const Judgement& j : judgements) text += fmt::format("{} {} {}\n", j.query, j.item, j.score);
  }
  return text;
}

TEST(Sample, SizesOutOfRangeAreRefused) {
  EXPECT_THROW(make_sample(99, 1), tensor::Error);
  EXPECT_THROW(make_sample(1000001, 1), tensor::Error);
  EXPECT_THROW(make_sample(-1, 1), tensor::Error);
}

TEST(Sample, ASeedGivesTheSameBitsAndAnotherSeedOthers) {
  const Corpus a = make_sample(100, 5), b = make_sample(100, 5), c = make_sample(100, 6);
  EXPECT_EQ(all_text(a), all_text(b));
  EXPECT_EQ(checksum_of(a), checksum_of(b));
  EXPECT_NE(all_text(a), all_text(c));
  EXPECT_NE(checksum_of(a), checksum_of(c));
}

TEST(Sample, EveryItemIsAnotherScene) {
  const Corpus corpus = make_sample(20000, 3);
  std::set<std::string> texts, ids;
  for (const Item& item : corpus.items) {
    texts.insert(item.text);
    ids.insert(item.id);
  }
  EXPECT_EQ(texts.size(), 20000u);
  EXPECT_EQ(ids.size(), 20000u);
}

TEST(Sample, SplitsAreEightyTenTen) {
  std::map<std::string, int> counts;
  for (const Item& item : thousand().items) ++counts[item.split];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"train", 800}, {"dev", 100}, {"test", 100}}));
}

TEST(Sample, EveryItemTrainsAndEveryDevAndTestItemIsJudgedByOneUnseenCaption) {
  const Corpus& corpus = thousand();
  std::map<int32_t, std::set<std::string>> trained;
  for (const Judgement& j : corpus.judgements[size_t(Split::train)])
    trained[j.item].insert(corpus.queries[size_t(j.query)].text);
  for (int32_t item = 0; item < 1000; ++item) EXPECT_EQ(trained[item].size(), 5u) << item;
  for (const Split split : {Split::dev, Split::test}) {
    std::set<int32_t> judged;
    for (const Judgement& j : corpus.judgements[size_t(split)]) {
      judged.insert(j.item);
      EXPECT_EQ(corpus.items[size_t(j.item)].split, split_names[size_t(split)]);
      EXPECT_FALSE(trained[j.item].contains(corpus.queries[size_t(j.query)].text));
    }
    EXPECT_EQ(judged.size(), 100u);
    EXPECT_EQ(corpus.judgements[size_t(split)].size(), 100u);
  }
}

TEST(Sample, TitlesAndTextsAreNeverTrainedOn) {
  std::set<std::string> captions;
  for (const Query& query : thousand().queries) captions.insert(query.text);
  for (const Item& item : thousand().items) EXPECT_FALSE(captions.contains(item.text));
}

TEST(Sample, CaptionsAreTidySentences) {
  for (const Query& query : thousand().queries) {
    EXPECT_GE(query.text.size(), 8u);
    EXPECT_LE(query.text.size(), 220u) << query.text;
    EXPECT_EQ(query.text.find("  "), std::string::npos) << query.text;
    EXPECT_EQ(query.text.find(" ,"), std::string::npos) << query.text;
    EXPECT_NE(query.text.front(), ' ');
    EXPECT_NE(query.text.back(), ' ');
  }
}

TEST(Sample, HeldOutCaptionsIdentifyTheirItemMostOfTheTime) {
  const Corpus& corpus = thousand();
  std::vector<std::string> documents(corpus.items.size());
  for (const Judgement& j : corpus.judgements[0])
    documents[size_t(j.item)] += corpus.queries[size_t(j.query)].text + " ";
  const Bm25 bm25(documents);
  std::vector<int64_t> ranks;
  for (const Judgement& j : corpus.judgements[size_t(Split::test)]) {
    ranks.push_back(first_relevant(bm25.rank(corpus.queries[size_t(j.query)].text, 10), std::span(&j.item, 1)));
  }
  const Measures measures = measure(ranks);
  EXPECT_GT(measures.recall_1, 0.5);
  EXPECT_GT(measures.recall_10, 0.8);
  EXPECT_LT(measures.recall_1, 1.0) << "not trivial";
}

TEST(Sample, EmbeddingsAreUnitVectorsInACone) {
  const Corpus& corpus = thousand();
  EXPECT_EQ(corpus.embeddings.shape(), (tensor::Shape{1000, 128}));
  double mean = 0;
  for (int64_t item = 0; item < 1000; ++item) {
    EXPECT_NEAR(cosine(corpus, item, item), 1.0, 2e-3);
    mean += cosine(corpus, item, (item + 1) % 1000) / 1000;
  }
  EXPECT_GT(mean, 0.2);
  EXPECT_LT(mean, 0.8);
}

TEST(Sample, ScenesAlikeHaveEmbeddingsAlike) {
  const Corpus& corpus = thousand();
  const auto object_and_place = [&](size_t item) {
    return corpus.items[item].title.substr(corpus.items[item].title.size() - 24);
  };
  std::map<std::string, int64_t> seen;
  double alike = 0, unlike = 0;
  int64_t pairs = 0;
  for (size_t item = 0; item < 1000; ++item) {
    const auto [other, added] = seen.try_emplace(object_and_place(item), int64_t(item));
    if (added) continue;
    alike += cosine(corpus, other->second, int64_t(item));
    unlike += cosine(corpus, int64_t(item), int64_t((item + 500) % 1000));
    ++pairs;
  }
  ASSERT_GT(pairs, 20);
  EXPECT_GT(alike / double(pairs), unlike / double(pairs) + 0.1);
}

TEST(Sample, SettingsSuitTheSizeAndFollowTheRules) {
  for (const int64_t items : {100, 499, 500, 1000, 10000, 30000, 70000}) {
    Settings settings;
    parse_settings(settings, make_sample(items, 1).settings, "settings.toml");
    EXPECT_NO_THROW(check_settings(settings)) << items;
    EXPECT_LE(settings.kmeans.clusters * 4, items);
    if (items >= 30000) {
      const int64_t steps = settings.rqvae.epochs * ((items + settings.rqvae.batch - 1) / settings.rqvae.batch);
      EXPECT_GT(steps, 5000) << items;
      EXPECT_LT(steps, 11000) << items;
      EXPECT_EQ(settings.model.width, Settings().model.width);
    }
  }
}

TEST(Sample, TheVocabularyIsRichAndNoPlainNameMeansTwoThings) {
  using namespace sample;
  EXPECT_GE(subjects().size() + objects().size(), 120u);
  EXPECT_GE(attributes().size(), 40u);
  EXPECT_GE(actions().size(), 25u);
  EXPECT_GE(places().size(), 40u);
  EXPECT_GE(sounds().size(), 40u);
  std::set<std::string_view> names;
  for (const auto& table : {subjects(), objects()}) {
    for (const Noun& noun : table) {
      for (const std::string_view name : noun.names) EXPECT_TRUE(names.insert(name).second) << name;
    }
  }
  for (const size_t size : {subjects().size(), objects().size(), attributes().size(), sounds().size()})
    EXPECT_LE(size, 128u);
}

TEST(Sample, DrawsAreUniform) {
  sample::Draw draw(1, 2, 3);
  std::array<int, 10> counts{};
  for (int i = 0; i < 100000; ++i) ++counts[size_t(draw.below(10))];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(Sample, TheBitsAreThoseOfEveryMachine) {
  const Corpus corpus = make_sample(200, 7);
  EXPECT_EQ(checksum_of(all_text(corpus)), "25cd6d68c23c1366");
  EXPECT_EQ(checksum_of(corpus), "b98dcdc1440bd170");
}

}  // namespace
}  // namespace ace
