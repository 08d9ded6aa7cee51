#include "ace/evaluate.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <sstream>

#include "ace/search.h"
#include "ace/train.h"
#include "tests/ace/tiny.h"

namespace ace {
namespace {

using nlohmann::json;

Settings trained_settings() {
  Settings settings = tiny::settings();
  settings.train.epochs = 6, settings.train.rate = 1e-2;
  return settings;
}

/// A corpus and a run that has learned a little of it.
struct Trained : tiny::Runs {
  explicit Trained(const Settings& s = trained_settings()) : tiny::Runs(s), settings(s) { train(run, s, {}, {}); }
  json operator()(const EvaluateOptions& options = {}) const { return evaluate(run, settings, options, {}); }
  Settings settings;
};

json row_of(const json& report, const std::string& method, const std::string& pool) {
  for (const json& row : report["rows"]) {
    if (row["method"] == method && row["pool"] == pool) return row;
  }
  return json();
}

const char* const figures[] = {"recall@1", "recall@5", "recall@10", "mrr@10"};

/// Figures of a search of all test queries, counted by hand.
std::map<std::string, double> by_hand(const Trained& trained, const Trie& trie, int64_t beam, bool constrained) {
  const Searcher searcher(trained.run, trained.settings);
  std::map<std::string, double> sum;
  const auto& judgements = trained.corpus.judgements[size_t(Split::test)];
  for (const Judgement& judgement : judgements) {
    const std::vector<std::vector<int32_t>> query{
        searcher.encode(trained.corpus.queries[size_t(judgement.query)].text)};
    const auto found = beam_search(searcher.model(), nn::TextBatch::pack(query), trie, {beam, constrained})[0];
    for (size_t i = 0; i < found.size() && i < 10; ++i) {
      if (found[i].item != judgement.item) continue;
      const double share = 1.0 / double(judgements.size());
      sum["recall@1"] += i < 1 ? share : 0;
      sum["recall@5"] += i < 5 ? share : 0;
      sum["recall@10"] += share;
      sum["mrr@10"] += share / double(i + 1);
    }
  }
  return sum;
}

void expect_figures(const json& row, std::map<std::string, double> expected) {
  for (const char* figure : figures) EXPECT_NEAR(row[figure].get<double>(), expected[figure], 1e-9) << figure;
}

TEST(Evaluate, FiguresAreThoseCountedByHand) {
  const Trained trained;
  const json report = trained();
  const Trie whole(trained.run.identifiers), test(trained.run.identifiers, test_pool(trained.corpus));
  expect_figures(report, by_hand(trained, whole, 5, true));
  expect_figures(row_of(report, "ace", "all"), by_hand(trained, whole, 5, true));
  expect_figures(row_of(report, "ace", "test"), by_hand(trained, test, 5, true));
  expect_figures(row_of(report, "ace, unconstrained", "all"), by_hand(trained, whole, 5, false));
  EXPECT_EQ(report["queries"], 10);
  EXPECT_EQ(report["beam"], 5);
  EXPECT_EQ(report["pool"], "all");
  EXPECT_EQ(report["split"], "test");
  EXPECT_GT(row_of(report, "ace", "test")["recall@5"], 0.2) << "it has learned something";
}

TEST(Evaluate, ChanceIsThatOfItsPoolAndBm25RanksBothPools) {
  const Trained trained;
  const json report = trained();
  EXPECT_EQ(row_of(report, "chance", "all")["recall@10"], 0.1);
  EXPECT_EQ(row_of(report, "chance", "test")["recall@10"], 1.0);
  const json all = row_of(report, "bm25 over training queries", "all");
  const json test = row_of(report, "bm25 over training queries", "test");
  EXPECT_GE(test["mrr@10"], all["mrr@10"]) << "fewer items to confuse";
  EXPECT_GT(all["mrr@10"], row_of(report, "chance", "all")["mrr@10"]);
}

TEST(Evaluate, ThreeBeamsGiveAMeasureEach) {
  const Trained trained;
  EvaluateOptions options;
  options.beams = {2, 3, 12};
  const json report = trained(options);
  const Trie whole(trained.run.identifiers);
  EXPECT_NEAR(report["recall@1"].get<double>(), by_hand(trained, whole, 2, true)["recall@1"], 1e-9);
  EXPECT_NEAR(report["recall@5"].get<double>(), by_hand(trained, whole, 3, true)["recall@5"], 1e-9);
  EXPECT_NEAR(report["recall@10"].get<double>(), by_hand(trained, whole, 12, true)["recall@10"], 1e-9);
  EXPECT_NEAR(report["mrr@10"].get<double>(), by_hand(trained, whole, 12, true)["mrr@10"], 1e-9);
  EXPECT_EQ(report["beam"], json({2, 3, 12}));
  options.beams = {2, 3};
  EXPECT_EQ(message_of([&] { trained(options); }),
            "evaluate: expected one beam or three (for R@1, R@5, R@10), found 2");
  options.beams = {0};
  EXPECT_EQ(message_of([&] { trained(options); }), "beam search: expected a beam of at least 1, found 0");
}

TEST(Evaluate, WhatIsAskedForStandsOnTop) {
  const Trained trained;
  const json plain = trained();
  EvaluateOptions options;
  options.unconstrained = true;
  const json unconstrained = trained(options);
  EXPECT_EQ(unconstrained["method"], "ace, unconstrained");
  EXPECT_EQ(unconstrained["rows"].size(), plain["rows"].size());
  options.unconstrained = false, options.pool = "test";
  const json test = trained(options);
  EXPECT_EQ(test["pool"], "test");
  for (const char* figure : figures) {
    EXPECT_EQ(unconstrained[figure], row_of(plain, "ace, unconstrained", "all")[figure]);
    EXPECT_EQ(test[figure], row_of(plain, "ace", "test")[figure]);
  }
  options.pool = "dev";
  EXPECT_EQ(message_of([&] { trained(options); }), "evaluate: expected pool \"all\" or \"test\", found \"dev\"");
}

TEST(Evaluate, TheTestPoolIsRankedWhereItHoldsTheAnswers) {
  const Trained trained(tiny::settings());
  EvaluateOptions options;
  options.split = Split::dev;
  const json report = trained(options);
  EXPECT_EQ(report["split"], "dev");
  for (const json& row : report["rows"]) EXPECT_EQ(row["pool"], "all") << row;
  options.pool = "test";
  EXPECT_EQ(message_of([&] { trained(options); }),
            trained.corpus.folder.string() + ": pool test: some items that qrels/dev.tsv judges are not in it");
}

TEST(Evaluate, QueriesThatAreTooLongAreCutAndCounted) {
  Settings settings = tiny::settings();
  settings.tokenizer.max_tokens = 256;
  EXPECT_EQ(Trained(settings)()["cut_queries"], 0);
  settings.tokenizer.max_tokens = 3;
  EXPECT_EQ(Trained(settings)()["cut_queries"], 10);
}

TEST(Evaluate, TheTrecFileIsWellFormedAndItsScoresFallStrictly) {
  const Trained trained;
  std::set<std::string> items, queries;
  for (const Item& item : trained.corpus.items) items.insert(item.id);
  for (const bool unconstrained : {false, true}) {
    EvaluateOptions options;
    options.trec = trained.scratch.path() / (unconstrained ? "unconstrained.trec" : "constrained.trec");
    options.unconstrained = unconstrained;
    trained(options);
    std::istringstream lines(tensor::read_file(*options.trec));
    std::string query, q0, item, tag, last_query;
    int64_t rank = 0, last_rank = 0, count = 0;
    float score = 0, last_score = 0;
    std::set<std::string> seen;
    for (; lines >> query >> q0 >> item >> rank >> score >> tag; ++count) {
      const bool first = query != last_query;
      if (first) {
        EXPECT_TRUE(queries.insert(query + (unconstrained ? "u" : "")).second) << "a query's lines stand together";
        seen.clear();
      }
      EXPECT_EQ(rank, first ? 1 : last_rank + 1);
      if (!first) {
        EXPECT_LT(score, last_score);
      }
      EXPECT_LT(score, 0);
      EXPECT_EQ(q0, "Q0");
      EXPECT_EQ(tag, "ace");
      EXPECT_TRUE(items.contains(item) || (unconstrained && item.starts_with("no-item-"))) << item;
      EXPECT_TRUE(seen.insert(item).second) << item << " twice";
      last_query = query, last_rank = rank, last_score = score;
    }
    EXPECT_TRUE(lines.eof());
    if (!unconstrained) {
      EXPECT_EQ(count, 50);
    }
  }
}

TEST(Evaluate, ASplitWithoutQueriesIsAnError) {
  const TemporaryFolder scratch;
  Corpus corpus = make_sample(100, 1);
  corpus.judgements[size_t(Split::test)].clear();
  write_corpus(scratch.path() / "corpus", corpus);
  ace::Run run = identify(load_corpus(scratch.path() / "corpus"), tiny::settings(), scratch.path() / "run", {});
  train(run, tiny::settings(), {}, {});
  EXPECT_EQ(message_of([&] { evaluate(run, tiny::settings(), {}, {}); }),
            (scratch.path() / "corpus").string() + ": qrels/test.tsv judges no query, so there is nothing to evaluate");
  EvaluateOptions dev;
  dev.split = Split::dev;
  EXPECT_EQ(evaluate(run, tiny::settings(), dev, {})["queries"], 10);
}

TEST(Evaluate, ARunThatIsNotTrainedIsAnErrorThatNamesTheVerb) {
  const tiny::Runs runs;
  EXPECT_EQ(message_of([&] { evaluate(runs.run, tiny::settings(), {}, {}); }),
            runs.run.folder().string() + ": retriever.safetensors is not there yet: `ace train` makes it");
}

TEST(Searcher, AWeightThatIsNotFiniteIsRefusedByItsName) {
  Trained trained(tiny::settings());
  auto weights = tensor::read_safetensors(trained.run.path("retriever.safetensors")).tensors;
  tensor::Tensor broken = weights["heads.1.weight"].clone();
  broken.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  weights["heads.1.weight"] = broken;
  trained.run.commit({{"retriever.safetensors", tensor::safetensors_bytes(weights)}});
  const std::string message = message_of([&] { Searcher(trained.run, trained.settings); });
  EXPECT_TRUE(message.ends_with("heads.1.weight holds a value that is not finite")) << message;
}

TEST(Searcher, ReturnsAtMostTopDistinctItemsBestFirst) {
  const Trained trained(tiny::settings());
  const Searcher searcher(trained.run, trained.settings);
  const std::vector<std::string> queries{"a dog", "rain on a roof", std::string(5000, 'x')};
  for (const int64_t top : {1, 3, 200}) {
    for (const auto& list : searcher.search(queries, top, 120)) {
      EXPECT_EQ(int64_t(list.size()), std::min<int64_t>(top, 100));
      std::set<int32_t> seen;
      for (size_t i = 0; i < list.size(); ++i) {
        EXPECT_TRUE(seen.insert(list[i].item).second);
        if (i > 0) {
          EXPECT_LE(list[i].score, list[i - 1].score);
        }
      }
    }
  }
  EXPECT_EQ(message_of([&] { searcher.search(std::vector<std::string>{" \n"}, 1, 1); }),
            "search: expected a query with a visible character, found \" \\n\"");
  EXPECT_EQ(message_of([&] { searcher.encode("\u2581"); }),
            "search: expected a query with a visible character, found \"\u2581\"")
      << "a space to the tokenizer";
}

/// Every form that the paper varies trains, resumes nothing, and is evaluated (its Tables 2 to 5).
class Ablation : public testing::TestWithParam<const char*> {};

TEST_P(Ablation, TrainsAndIsEvaluatedEndToEnd) {
  Settings settings = tiny::settings();
  settings.train.epochs = 1;
  std::istringstream assignments(GetParam());
  for (std::string assignment; assignments >> assignment;) set(settings, assignment);
  const Trained trained(settings);
  const json report = trained();
  EXPECT_EQ(report["rows"].size(), 7u);
  EXPECT_GE(report["recall@10"], 0);
  EXPECT_LE(report["recall@10"], 1);
  const Searcher searcher(ace::Run::open(trained.run.folder()), settings);
  EXPECT_EQ(searcher.search(std::vector<std::string>{"a dog"}, 10, 10)[0].size(), 10u);
}

INSTANTIATE_TEST_SUITE_P(Paper, Ablation,
                         testing::Values("train.omega=0", "model.fusion=false", "model.cross_attention=shared",
                                         "model.gate=sigmoid", "model.encoder_layers=5 model.decoder_layers=2",
                                         "model.fusion=false train.omega=0 model.encoder_layers=3", "rqvae.codebooks=3",
                                         "rqvae.codebooks=4", "rqvae.codebooks=1", "identifiers.scheme=rqvae",
                                         "identifiers.scheme=hierarchical", "kmeans.clusters=16 rqvae.entries=4",
                                         "identifiers.unique=4 rqvae.entries=2", "model.dropout=0",
                                         "train.optimizer=adamw train.weight_decay=0.01",
                                         "train.cycle_epochs=0.25 train.warmup_epochs=0.5", "train.accumulate=3"));

}  // namespace
}  // namespace ace
