#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/tools/program.h"

namespace tools_test {
namespace {

using nlohmann::json;

/// A corpus and a run of the smallest model that still has every part.
class RunVerbs : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run({"sample", folder / "corpus", "--items", "100"}).code, 0);
    settings = folder.file("tiny.toml",
                           "[kmeans]\nclusters = 4\n[rqvae]\nentries = 4\nlatent = 8\nhidden = [16]\nepochs = 20\n"
                           "warmup_epochs = 2\nmin_steps = 20\n[model]\nwidth = 16\nheads = 2\nencoder_layers = 1\n"
                           "decoder_layers = 1\n[train]\nepochs = 1\nbatch = 64\n[search]\nbeam = 8\n");
    const Outcome outcome = run({"identify", folder / "corpus", folder / "run", "--config", settings, "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    quality = json::parse(outcome.out);
  }
  void train() {
    const Outcome outcome = run({"train", folder / "run", "--quiet"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }

  Folder folder;
  std::string settings;
  json quality;
};

TEST_F(RunVerbs, IdentifyReportsQuality) {
  EXPECT_EQ(quality["items"], 100);
  EXPECT_EQ(quality["codebooks"].size(), 2u);
  EXPECT_EQ(quality["codebooks"][0]["entries"], 4);
  EXPECT_EQ(quality["capacity"], 64);
  for (const char* name : {"inertia", "reconstruction", "coarse_used", "collision_rate", "largest_bucket"}) {
    EXPECT_TRUE(quality[name].is_number()) << name;
  }
}

TEST_F(RunVerbs, InspectWorksBeforeAndAfterTraining) {
  const json before = json::parse(run({"inspect", folder / "run", "--json"}).out);
  EXPECT_EQ(before["settings"]["kmeans.clusters"], "4");
  EXPECT_EQ(before["quality"], quality);
  EXPECT_TRUE(before["parameters"].empty());
  EXPECT_NE(run({"inspect", folder / "run"}).out.find("not trained yet"), std::string::npos);
  train();
  const json after = json::parse(run({"inspect", folder / "run", "--json"}).out);
  EXPECT_GT(after["parameters"]["fusion"], 0);
  EXPECT_FALSE(after["history"].empty());
  EXPECT_EQ(run({"inspect", folder / "run"}).out.find("not trained yet"), std::string::npos);
}

TEST_F(RunVerbs, InspectRefusesWhatMeansNothing) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--set", "nonsense=1"}, {"--precision", "f64"}, {"--config", folder / "none.toml"}}) {
    std::vector<std::string> all = {"inspect", folder / "run"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = run(all);
    EXPECT_NE(outcome.code, 0) << words[0];
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST_F(RunVerbs, WithoutDevQueriesTrainingSaysSoOnce) {
  std::filesystem::remove(folder / "corpus/qrels/dev.tsv");
  ASSERT_EQ(run({"identify", folder / "corpus", folder / "other", "--config", settings, "--quiet"}).code, 0);
  const Outcome outcome = run({"train", folder / "other", "--json"});
  EXPECT_EQ(json::parse(outcome.out)["dev_queries"], 0);
  const std::string note = "ace: note: no dev queries: the last weights are kept\n";
  const size_t found = outcome.err.find(note);
  ASSERT_NE(found, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find(note, found + 1), std::string::npos);
  EXPECT_EQ(run({"train", folder / "other", "--resume", "--quiet"}).err, "");
}

TEST_F(RunVerbs, QueriesThatAreCutAreToldOfOnce) {
  ASSERT_EQ(run({"train", folder / "run", "--quiet", "--set", "tokenizer.max_tokens=3"}).code, 0);
  const Outcome outcome = run({"evaluate", folder / "run", "--json", "--quiet"});
  EXPECT_EQ(outcome.err, "ace: warning: of 10 queries 10 were cut to the first 2 pieces\n");
  EXPECT_EQ(json::parse(outcome.out)["cut_queries"], 10);
}

TEST_F(RunVerbs, AnUntrainedRunAnswersNothing) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"evaluate", folder / "run"}, {"search", folder / "run", "a dog"}}) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find("train"), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  }
}

TEST_F(RunVerbs, EvaluateGivesTheContractsFieldsAndATable) {
  train();
  const Outcome outcome = run({"evaluate", folder / "run", "--json", "--trec", folder / "results.trec"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json report = json::parse(outcome.out);
  for (const char* name : {"recall@1", "recall@5", "recall@10", "mrr@10"}) {
    EXPECT_GE(report[name], 0) << name;
    EXPECT_LE(report[name], 1) << name;
  }
  EXPECT_EQ(report["queries"], 10);
  EXPECT_EQ(report["pool"], "all");
  EXPECT_EQ(report["beam"], 8);
  EXPECT_GT(report["queries_per_second"], 0);
  EXPECT_NE(read(folder / "results.trec").find(" Q0 "), std::string::npos);
  const std::string table = run({"evaluate", folder / "run", "--quiet", "--beam", "2,4,8"}).out;
  for (const char* word : {"R@1", "MRR@10", "chance", "bm25", " %"})
    EXPECT_NE(table.find(word), std::string::npos) << word;
}

TEST_F(RunVerbs, SearchAnswersWordsFilesAndStandardInput) {
  train();
  const json one = json::parse(run({"search", folder / "run", "a dog", "--json", "--top", "3"}).out);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0]["query"], "a dog");
  ASSERT_EQ(one[0]["results"].size(), 3u);
  EXPECT_EQ(one[0]["results"][0]["rank"], 1);
  EXPECT_LE(one[0]["results"][1]["score"], one[0]["results"][0]["score"]);
  EXPECT_EQ(one[0]["results"][0]["identifier"].size(), 4u);
  EXPECT_EQ(one[0]["results"][0]["item"].get<std::string>().substr(0, 6), "scene-");

  const std::string lines = folder.file("queries.txt", "a dog\r\na cat\n");
  const std::string objects =
      folder.file("queries.jsonl", "{\"_id\": \"1\", \"text\": \"a dog\"}\n{\"text\": \"a cat\"}\n");
  const json from_lines = json::parse(run({"search", folder / "run", "--queries", lines, "--json", "--top", "3"}).out);
  const json from_objects =
      json::parse(run({"search", folder / "run", "--queries", objects, "--json", "--top", "3"}).out);
  const json from_input =
      json::parse(run({"search", folder / "run", "-", "--json", "--top", "3"}, "a dog\na cat\n").out);
  ASSERT_EQ(from_lines.size(), 2u);
  EXPECT_EQ(from_lines[0]["results"][0]["item"], one[0]["results"][0]["item"]);
  EXPECT_EQ(from_lines[1]["query"], "a cat");
  EXPECT_EQ(from_objects, from_lines);
  EXPECT_EQ(from_input.size(), 2u);
}

TEST_F(RunVerbs, SearchRefusesQueriesThatShowNothingAndSaysWhere) {
  train();
  const auto refused = [&](const std::vector<std::string>& words, const std::string& part) {
    std::vector<std::string> all = {"search", folder / "run"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.code, 1) << part;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  };
  refused({""}, "query: expected a query with a visible character");
  refused({"\xe2\x80\x8b"}, "visible");
  refused({"\u2581"}, "visible");
  refused({"\xff"}, "query: expected UTF-8");
  refused({"--queries", folder.file("a.txt", "a dog\n \n")}, "a.txt:2: ");
  refused({"--queries", folder.file("b.jsonl", "{\"text\": \"a dog\"}\n{\"txt\": 1}\n")}, "b.jsonl:2: ");
  refused({"--queries", folder.file("c.txt", "")}, "c.txt");
  refused({"--queries", folder / "none.txt"}, "none.txt");
  const Outcome input = run({"search", folder / "run", "-"}, "a dog\n\na cat\n");
  EXPECT_EQ(input.code, 1);
  EXPECT_NE(input.err.find("standard input:2: "), std::string::npos);
  EXPECT_NE(input.out.find("a cat"), std::string::npos) << "the lines after it are answered";
}

TEST_F(RunVerbs, SearchTellsOfAnOutputOrInputThatFails) {
  train();
  const std::string search = "search " + folder / "run" + " ";
  const std::string queries = folder.file("queries.txt", "a dog\na cat\n");
  for (const std::string& words : {std::string("bus"), "- <" + queries, "--queries " + queries}) {
    const Outcome outcome = run_in_shell(search + words + " >/dev/full");
    EXPECT_EQ(outcome.code, 1) << words;
    EXPECT_EQ(outcome.err, "ace: error: standard output: cannot be written\n") << words;
  }
  EXPECT_EQ(run_in_shell(search + "- </tmp").err, "ace: error: standard input: cannot read: Is a directory\n");
  const Outcome closed = run_in_shell(search + "- <&-");
  EXPECT_EQ(closed.code, 1);
  EXPECT_EQ(closed.err, "ace: error: standard input: cannot read: Bad file descriptor\n");
}

TEST_F(RunVerbs, WhatExistsIsNotReplacedByATrecFile) {
  train();
  folder.file("r.trec", "mine");
  for (const std::string& file : {folder / "r.trec", folder / "run/retriever.safetensors", std::string("/dev/null")}) {
    const Outcome outcome = run({"evaluate", folder / "run", "--trec", file});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.err, "ace: error: " + file + ": exists already\n");
  }
  EXPECT_EQ(read(folder / "r.trec"), "mine");
}

TEST_F(RunVerbs, ASecondTrainingIsRefused) {
  Program first({"train", folder / "run", "--quiet", "--set", "train.epochs=100000"});
  first.wait_for_handler(SIGTERM);
  const Outcome second = run({"train", folder / "run", "--quiet"});
  EXPECT_EQ(second.code, 1);
  EXPECT_EQ(second.err, "ace: error: " + folder / "run" + ": another training runs on it\n");
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().code, 143);
}

TEST_F(RunVerbs, SettingsOfTheRunHold) {
  train();
  const Outcome kmeans = run({"train", folder / "run", "--set", "kmeans.clusters=5"});
  EXPECT_EQ(kmeans.code, 2);
  EXPECT_EQ(kmeans.err,
            "ace: error: kmeans.clusters: the run was made with 4, found 5; only ace identify can change it\n");
  const Outcome width = run({"search", folder / "run", "--set", "model.width=32", "a dog"});
  EXPECT_EQ(width.code, 2);
  EXPECT_EQ(width.err, "ace: error: model.width: the run was made with 16, found 32; only ace train can change it\n");
  EXPECT_EQ(run({"search", folder / "run", "a dog", "--set", "search.beam=20", "--config", settings}).code, 0);
}

TEST_F(RunVerbs, TrainsAndSearchesInNarrowPrecisions) {
  ASSERT_EQ(run({"train", folder / "run", "--quiet", "--precision", "bf16"}).code, 0);
  EXPECT_EQ(json::parse(run({"inspect", folder / "run", "--json"}).out)["settings"]["train.precision"], "\"bf16\"");
  const json full = json::parse(run({"search", folder / "run", "a dog", "--json", "--top", "8"}).out);
  for (const char* precision : {"bf16", "int8"}) {
    const Outcome outcome = run({"search", folder / "run", "a dog", "--json", "--top", "8", "--precision", precision});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json narrow = json::parse(outcome.out);
    EXPECT_NE(narrow, full) << "some digit differs";
    EXPECT_NEAR(narrow[0]["results"][0]["score"].get<double>(), full[0]["results"][0]["score"].get<double>(), 0.1);
  }
  const Outcome refused = run({"train", folder / "run", "--resume", "--precision", "int8"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("train.precision: expected \"f32\" or \"bf16\" or \"f16\", found \"int8\""),
            std::string::npos);
}

TEST_F(RunVerbs, ADamagedRunIsRefused) {
  train();
  std::filesystem::resize_file(folder / "run/retriever.safetensors", 1000);
  const Outcome outcome = run({"search", folder / "run", "a dog"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("retriever.safetensors"), std::string::npos) << outcome.err;
}

TEST_F(RunVerbs, ASignalStopsTrainingAfterACheckpoint) {
  std::filesystem::rename(folder / "run", folder / "it's a run");
  Program training(
      {"train", folder / "it's a run", "--quiet", "--set", "train.epochs=100000", "--set", "train.checkpoint_steps=1"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (training.running() && !std::filesystem::exists(folder / "it's a run/checkpoint.safetensors")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  training.send(SIGINT);
  const Outcome stopped = training.wait();
  EXPECT_EQ(stopped.code, 130);
  EXPECT_NE(stopped.out.find("it'\\''s a run' --resume\n"), std::string::npos) << stopped.out;
  std::filesystem::rename(folder / "it's a run", folder / "run");
  Program again({"train", folder / "run", "--quiet", "--resume"});
  again.wait_for_handler(SIGHUP);
  for (int i = 0; i < 2; ++i) {  // of a terminal, and of its shell
    again.send(SIGHUP);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(again.wait().code, 129);
  EXPECT_EQ(run({"inspect", folder / "run"}).code, 0);
}

TEST_F(RunVerbs, TrainingGoesOnWhenTerminalOrReaderIsGone) {
  for (const char* other : {"2", "3"}) {
    std::filesystem::copy(folder / "run", folder / other, std::filesystem::copy_options::recursive);
  }
  const std::string train = "train --set train.epochs=5 " + folder / "", pipe = folder / "pipe";
  Program background = in_shell(train + "run", "trap '' HUP");  // as nohup does
  background.wait_for_handler(SIGTERM);
  background.send(SIGHUP);
  EXPECT_EQ(background.wait().code, 0);
  EXPECT_EQ(run_in_shell(train + "2 2> /dev/full").code, 0);
  const std::string reader_leaves = "mkfifo " + pipe + "; true < " + pipe + " & exec 2> " + pipe + "; wait";
  EXPECT_EQ(run_in_shell(train + "3", reader_leaves).code, 0);
}

TEST_F(RunVerbs, ASignalStopsIdentifyAndLeavesNothing) {
  for (const int wait : {0, 300}) {  // milliseconds: at its start; in the midst of the RQ-VAE
    Program identify({"identify", folder / "corpus", folder / "other", "--config", settings, "--quiet", "--set",
                      "rqvae.epochs=1000000"});
    identify.wait_for_handler(SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    identify.send(SIGTERM);
    const Outcome outcome = identify.wait();
    EXPECT_EQ(outcome.code, 143) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_FALSE(std::filesystem::exists(folder / "other"));
  }
}

TEST_F(RunVerbs, AFileThatIsCutUnderASearchEndsItWithOneLine) {
  train();
  const std::string out = folder / "out", tree = folder / "run/trie.bin";
  const std::string queries = "echo a dog; until [ -s " + out + " ]; do sleep 0.02; done; : > " + tree + "; echo a cat";
  const Outcome outcome =
      Program({"-c", "{ " + queries + "; } | " ACE_PROGRAM " search " + folder / "run" + " - >" + out}, "", "/bin/sh")
          .wait();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "ace: error: " + tree + ": cannot be read any more: cut while in use, or its disk failed\n");
  EXPECT_NE(read(out).find("a dog"), std::string::npos);
}

}  // namespace
}  // namespace tools_test
