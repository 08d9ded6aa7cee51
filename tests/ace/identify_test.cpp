#include "ace/identify.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/ace/tiny.h"

namespace ace {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Every file of a folder by name.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files[entry.path().filename().string()] = tensor::read_file(entry.path());
  }
  return files;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Identify, ReportsWhatTheContractSays) {
  const TemporaryFolder scratch;
  const ace::Run run = identify(tiny::corpus(scratch.path() / "corpus"), tiny::settings(), scratch.path() / "run", {});
  const json report = json::parse(run.quality_json);
  EXPECT_EQ(report["items"], 100);
  EXPECT_EQ(report["capacity"], 512);
  EXPECT_GT(report["inertia"], 0);
  EXPECT_GT(report["reconstruction"], 0);
  EXPECT_LE(report["coarse_used"], 8);
  EXPECT_GE(report["coarse_used"], 4);
  ASSERT_EQ(report["codebooks"].size(), 2u);
  for (const json& codebook : report["codebooks"]) {
    EXPECT_EQ(codebook["entries"], 8);
    EXPECT_LE(codebook["used"], 8);
    EXPECT_GE(codebook["perplexity"], 1);
    EXPECT_LE(codebook["perplexity"].get<double>(), codebook["used"].get<double>() + 1e-9);
  }
  EXPECT_GE(report["collision_rate"], 0);
  EXPECT_LE(report["collision_rate"], 1);
  EXPECT_GE(report["largest_bucket"], 1);
  EXPECT_EQ(json::parse(Run::open(run.folder()).quality_json), report);
}

TEST(Identify, TheReportIsThatOfTheTable) {
  const TemporaryFolder scratch;
  const ace::Run run = identify(tiny::corpus(scratch.path() / "corpus"), tiny::settings(), scratch.path() / "run", {});
  std::map<std::vector<int32_t>, int64_t> buckets;
  std::set<int32_t> coarse;
  for (int64_t i = 0; i < run.identifiers.items(); ++i) {
    const auto row = run.identifiers.row(i);
    ++buckets[std::vector<int32_t>(row.begin(), row.begin() + 3)];
    coarse.insert(row[0]);
  }
  int64_t sharing = 0, largest = 0;
  for (const auto& [prefix, count] : buckets) {
    sharing += count > 1 ? count : 0;
    largest = std::max(largest, count);
  }
  const json report = json::parse(run.quality_json);
  EXPECT_EQ(report["collision_rate"], double(sharing) / 100);
  EXPECT_EQ(report["largest_bucket"], largest);
  EXPECT_EQ(report["coarse_used"], coarse.size());
}

TEST(Identify, EachSchemeGivesUniqueIdentifiersAndItsOwnFiles) {
  const TemporaryFolder scratch;
  const Corpus corpus = tiny::corpus(scratch.path() / "corpus");
  for (const char* scheme : {"ace", "rqvae", "hierarchical"}) {
    Settings settings = tiny::settings();
    settings.identifiers.scheme = scheme;
    const ace::Run run = identify(corpus, settings, scratch.path() / scheme, {});
    const bool ace = scheme == std::string("ace"), tree = scheme == std::string("hierarchical");
    EXPECT_EQ(run.has("kmeans.safetensors"), ace);
    EXPECT_EQ(run.has("rqvae.safetensors"), !tree);
    if (!tree) {
      EXPECT_EQ(run.identifiers.positions(), ace ? 4 : 3);
    }
    std::set<std::vector<int32_t>> rows;
    for (int64_t i = 0; i < 100; ++i) rows.insert({run.identifiers.row(i).begin(), run.identifiers.row(i).end()});
    EXPECT_EQ(rows.size(), 100u);
    const json report = json::parse(run.quality_json);
    EXPECT_EQ(report.contains("coarse_used"), scheme != std::string("rqvae"));
    EXPECT_EQ(report.contains("inertia"), ace);
    EXPECT_EQ(report.contains("reconstruction"), !tree);
  }
}

TEST(Identify, AdviceNamesOnlySettingsThatTheSchemeHas) {
  const TemporaryFolder scratch;
  const Corpus corpus = tiny::corpus(scratch.path() / "corpus");
  Settings settings = tiny::settings();
  settings.rqvae.entries = 4, settings.identifiers.scheme = "rqvae";
  const json without = json::parse(identify(corpus, settings, scratch.path() / "rqvae", {}).quality_json);
  settings.kmeans.clusters = 4, settings.identifiers.scheme = "ace";
  const json with = json::parse(identify(corpus, settings, scratch.path() / "ace", {}).quality_json);
  ASSERT_TRUE(without.contains("advice") && with.contains("advice"));
  EXPECT_EQ(without["advice"].get<std::string>().find("kmeans.clusters"), std::string::npos) << without["advice"];
  EXPECT_NE(with["advice"].get<std::string>().find("kmeans.clusters"), std::string::npos) << with["advice"];
}

TEST(Identify, TheSameSeedGivesTheSameFilesByteForByte) {
  const TemporaryFolder scratch;
  const Corpus corpus = tiny::corpus(scratch.path() / "corpus");
  Settings settings = tiny::settings();
  identify(corpus, settings, scratch.path() / "a", {});
  identify(corpus, settings, scratch.path() / "b", {});
  EXPECT_EQ(contents(scratch.path() / "a"), contents(scratch.path() / "b"));
  settings.seed = 2;
  identify(corpus, settings, scratch.path() / "c", {});
  EXPECT_NE(contents(scratch.path() / "a")["rqvae.safetensors"], contents(scratch.path() / "c")["rqvae.safetensors"]);
}

TEST(Identify, AFolderThatExistsIsRefusedAndStays) {
  const TemporaryFolder scratch;
  const Corpus corpus = tiny::corpus(scratch.path() / "corpus");
  scratch.write("run/letter.txt", "mine");
  EXPECT_EQ(message_of([&] { identify(corpus, tiny::settings(), scratch.path() / "run", {}); }),
            (scratch.path() / "run").string() + ": exists already");
  EXPECT_EQ(contents(scratch.path() / "run"), (std::map<std::string, std::string>{{"letter.txt", "mine"}}));
}

TEST(Identify, WhatCannotBeDoneIsRefusedBeforeTheWork) {
  const TemporaryFolder scratch;
  Corpus corpus = tiny::corpus(scratch.path() / "corpus");
  Settings settings = tiny::settings();
  const Progress none{[](const ProgressStep& step) { ADD_FAILURE() << step.stage; }};
  const auto message = [&] { return message_of([&] { identify(corpus, settings, scratch.path() / "run", none); }); };
  settings.rqvae.precision = "f16";
  EXPECT_EQ(message(), "precision f16: for --device cuda alone; on the CPU bf16 is as fast, and needs no scaling");
  corpus.folder = "/corpus\xff";
  EXPECT_EQ(message(), "/corpus\\xff: expected UTF-8, which a run can name it by");
}

TEST(Identify, AFailureLeavesNothingBehind) {
  const TemporaryFolder scratch;
  const Corpus corpus = tiny::corpus(scratch.path() / "corpus");
  const auto expect_nothing = [&] { EXPECT_EQ(names_in(scratch.path()), std::vector<std::string>{"corpus"}); };
  EXPECT_THROW(identify(corpus, tiny::settings(), scratch.path() / "no" / "such" / "run", {}), tensor::Error);
  expect_nothing();
  for (const char* stage : {"rq-vae", "tokenizer", "run"}) {
    const Progress failing{[stage](const ProgressStep& p) {
      if (p.stage == stage) tensor::fail("no more of {}", stage);
    }};
    EXPECT_EQ(message_of([&] { identify(corpus, tiny::settings(), scratch.path() / "run", failing); }),
              std::string("no more of ") + stage);
    expect_nothing();
  }
}

TEST(Identify, MoreClustersThanItemsAreRefusedWithTheSettingThatWouldDo) {
  const TemporaryFolder scratch;
  const Corpus corpus = tiny::corpus(scratch.path() / "corpus");
  Settings settings = tiny::settings();
  settings.kmeans.clusters = 128;
  EXPECT_EQ(message_of([&] { identify(corpus, settings, scratch.path() / "run", {}); }),
            "kmeans: 100 items are fewer than kmeans.clusters = 128; set kmeans.clusters to at most 100");
  EXPECT_FALSE(fs::exists(scratch.path() / "run"));
  settings.kmeans.clusters = 100;
  EXPECT_NO_THROW(identify(corpus, settings, scratch.path() / "run", {}));
}

TEST(Identify, ACorpusWithoutTrainingQueriesIsRefused) {
  const TemporaryFolder scratch;
  Corpus corpus = make_sample(100, 1);
  corpus.judgements[size_t(Split::train)].clear();
  write_corpus(scratch.path() / "corpus", corpus);
  EXPECT_EQ(message_of([&] {
              identify(load_corpus(scratch.path() / "corpus"), tiny::settings(), scratch.path() / "run", {});
            }),
            (scratch.path() / "corpus").string() +
                ": no training queries; qrels/train.tsv judges none, so nothing could be trained");
}

}  // namespace
}  // namespace ace
