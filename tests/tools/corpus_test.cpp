#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tensor/npy.h"
#include "tests/tools/program.h"

namespace tools_test {
namespace {

TEST(SampleVerb, MakesACorpusAndTellsWhatIsInIt) {
  Folder folder;
  const Outcome outcome = run({"sample", folder / "corpus", "--items", "100", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report["items"], 100);
  EXPECT_EQ(report["width"], 128);
  EXPECT_EQ(report["queries"], 520);
  EXPECT_EQ(report["judgements"], nlohmann::json({{"train", 500}, {"dev", 10}, {"test", 10}}));
  for (const char* file : {"corpus.jsonl", "items.npy", "queries.jsonl", "qrels/train.tsv", "settings.toml"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / "corpus/" + file)) << file;
  }
}

TEST(SampleVerb, TheSeedDecides) {
  Folder folder;
  for (const char* name : {"a", "b"})
    ASSERT_EQ(run({"sample", folder / name, "--items", "100", "--seed", "5"}).code, 0);
  ASSERT_EQ(run({"sample", folder / "c", "--items", "100", "--set", "seed=5"}).code, 0);
  ASSERT_EQ(run({"sample", folder / "d", "--items", "100"}).code, 0);
  EXPECT_EQ(read(folder / "a/queries.jsonl"), read(folder / "b/queries.jsonl"));
  EXPECT_EQ(read(folder / "a/items.npy"), read(folder / "c/items.npy"));
  EXPECT_NE(read(folder / "a/items.npy"), read(folder / "d/items.npy"));
}

TEST(SampleVerb, WhatExistsIsNeverOverwritten) {
  Folder folder;
  folder.file("corpus", "precious");
  const Outcome outcome = run({"sample", folder / "corpus"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("exists already"), std::string::npos);
  EXPECT_EQ(read(folder / "corpus"), "precious");
}

TEST(SampleVerb, AFullDiskOrAClosedOutputIsAnError) {
  Folder folder;
  EXPECT_EQ(run({"sample", "/proc/corpus"}).code, 1);
  EXPECT_EQ(run({"sample", folder / "no/such/parent/corpus"}).code, 1);
  const Outcome limited = run_in_shell("sample " + folder / "corpus", "ulimit -f 20");  // blocks of 512 bytes
  EXPECT_EQ(limited.code, 1);
  EXPECT_NE(limited.err.find("cannot write: File too large"), std::string::npos) << limited.err;
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
}

TEST(SampleVerb, ASignalStopsItAndLeavesNothing) {
  Folder folder;
  Program sample({"sample", folder / "corpus", "--items", "50000"});
  sample.wait_for_handler(SIGTERM);  // when it begins to write
  sample.send(SIGTERM);
  EXPECT_EQ(sample.wait().code, 143);
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
}

TEST(CorpusVerbs, AFolderThatCouldNotBeMadeIsRefusedBeforeTheWork) {
  Folder folder;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"sample"}, {"identify", "none"}, {"import", "beir", "none", "--embeddings", "none"}}) {
    for (const std::string& to : {std::string(), folder / "none/x"}) {
      std::vector<std::string> all = words;
      all.push_back(to);
      const Outcome outcome = run(all);
      EXPECT_EQ(outcome.code, 1);
      EXPECT_EQ(outcome.err, to.empty()
                                 ? "ace: error: expected the name of a file or folder to make, found an empty one\n"
                                 : "ace: error: " + to + ": cannot create: No such file or directory\n");
    }
  }
}

/// Two items with a caption each, in BEIR's layout.
void write_beir(const Folder& folder) {
  std::filesystem::create_directories(folder / "beir/qrels");
  folder.file(
      "beir/corpus.jsonl",
      "{\"_id\": \"a\", \"title\": \"one\", \"text\": \"\"}\n{\"_id\": \"b\", \"title\": \"\", \"text\": \"\"}\n");
  folder.file("beir/queries.jsonl",
              "{\"_id\": \"q1\", \"text\": \"first\"}\n{\"_id\": \"q2\", \"text\": \"second\"}\n");
  folder.file("beir/qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\tb\t1\n");
  tensor::write_npy(folder / "e.npy", tensor::Tensor::of<float>({2, 3}, {1, 0, 0, 0, 1, 0}));
}

TEST(ImportVerb, BringsADataSetAndItsEmbeddings) {
  Folder folder;
  write_beir(folder);
  const Outcome outcome =
      run({"import", "beir", folder / "beir", folder / "corpus", "--embeddings", folder / "e.npy", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report["items"], 2);
  EXPECT_EQ(report["width"], 3);
}

TEST(ImportVerb, EmbeddingsOfAnotherCountAreRefusedAndNothingIsLeft) {
  Folder folder;
  write_beir(folder);
  tensor::write_npy(folder / "e.npy", tensor::Tensor::of<float>({3, 1}, {1, 2, 3}));
  const Outcome outcome = run({"import", "beir", folder / "beir", folder / "corpus", "--embeddings", folder / "e.npy"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "corpus"));
}

TEST(ImportVerb, WhatMeansNothingIsRefused) {
  Folder folder;
  write_beir(folder);
  const Outcome outcome = run(
      {"import", "beir", folder / "beir", folder / "corpus", "--embeddings", folder / "e.npy", "--set", "nonsense=1"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("unknown setting \"nonsense\""), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "corpus"));
}

TEST(ImportVerb, APathThatCannotBeLookedAtIsOneLine) {
  Folder folder;
  write_beir(folder);
  const std::string name(300, 'x');  // no file has so long a name
  for (const Outcome& outcome : {run({"sample", folder / name}), run({"identify", folder / "beir", folder / name}),
                                 run({"import", "beir", folder / name, folder / "corpus", "--embeddings", "e.npy"})}) {
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find(": File name too long\n"), std::string::npos) << outcome.err;
  }
}

TEST(ImportVerb, APipeAmongThePublishedFilesIsRefusedButOneThatIsNamedIsRead) {
  Folder folder;
  write_beir(folder);
  const std::string words =
      "import beir " + folder / "beir" + " " + folder / "corpus" + " --embeddings " + folder / "e.npy";
  EXPECT_EQ(
      Program({"-c", "printf 'b\\na\\n' | " ACE_PROGRAM " " + words + " --ids /dev/stdin"}, "", "/bin/sh").wait().code,
      0);
  std::filesystem::remove_all(folder / "corpus");
  std::filesystem::remove(folder / "beir/qrels/train.tsv");
  ASSERT_EQ(mkfifo((folder / "beir/qrels/train.tsv").c_str(), 0600), 0);
  const Outcome outcome = run_in_shell(words);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("train.tsv: expected a regular file"), std::string::npos) << outcome.err;
}

TEST(ImportVerb, AMalformedLineIsNamed) {
  Folder folder;
  write_beir(folder);
  folder.file("beir/queries.jsonl", "{\"_id\": \"q1\", \"text\": \"first\"}\n{\"_id\": \"q2\"\n");
  const Outcome outcome = run({"import", "beir", folder / "beir", folder / "corpus", "--embeddings", folder / "e.npy"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("queries.jsonl:2:"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace tools_test
