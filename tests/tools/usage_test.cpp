#include <gtest/gtest.h>

#include <algorithm>
#include "tests/tools/program.h"

namespace tools_test {
namespace {

/// Wrong usage: exit code 2, nothing on standard output, one line on standard error.
void expect_usage(const std::vector<std::string>& words, const std::string& message) {
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.code, 2) << message;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "ace: error: " + message + "\n");
}

TEST(Usage, HelpAndVersionGoToStandardOutput) {
  const Outcome version = run({"--version"}), help = run({"--help"}), verb = run({"train", "--help"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out.substr(0, 4), "ace ");
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* word : {"sample", "import", "identify", "train", "evaluate", "search", "inspect", "--json",
                           "kmeans.clusters = 128", "search.beam = 50"}) {
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(verb.code, 0);
  for (const char* word : {"--resume", "--set", "train.omega = 0.15", "model.width = 512"}) {
    EXPECT_NE(verb.out.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(verb.out.find("kmeans.clusters"), std::string::npos) << "not a setting of train";
}

TEST(Usage, AStandardOutputThatCannotBeWrittenIsAnError) {
  for (const char* words : {"--help >/dev/full", "--version >/dev/full", "--version >&-"}) {
    const Outcome outcome = run_in_shell(words);
    EXPECT_EQ(outcome.code, 1) << words;
    EXPECT_EQ(outcome.err, "ace: error: standard output: cannot be written\n") << words;
  }
}

TEST(Usage, EveryVerbHasHelpWithItsDefaults) {
  EXPECT_NE(run({"sample", "--help"}).out.find("default 1000"), std::string::npos);
  EXPECT_NE(run({"import", "--help"}).out.find("default published"), std::string::npos);
  EXPECT_NE(run({"identify", "--help"}).out.find("rqvae.entries = 128"), std::string::npos);
  EXPECT_NE(run({"evaluate", "--help"}).out.find("default test"), std::string::npos);
  EXPECT_NE(run({"search", "--help"}).out.find("default 10"), std::string::npos);
  EXPECT_EQ(run({"inspect", "--help"}).code, 0);
}

TEST(Usage, WrongWordsAreAnsweredWithTheNearest) {
  expect_usage({}, "expected a verb: sample, import, identify, train, evaluate, search, inspect");
  expect_usage({"trian"}, "unknown verb \"trian\"; did you mean \"train\"?");
  expect_usage({"train", "run", "--reusme"}, "unknown option \"--reusme\"; did you mean \"--resume\"?");
  expect_usage({"train", "run", "--sed=3"}, "unknown option \"--sed\"; did you mean \"--set\"?");
  expect_usage({"train", "run", "more"}, "train: one word too many: \"more\"; see ace train --help");
  expect_usage({"train"}, "train: RUN is required");
  expect_usage({"search", "run", "a dog", "--top"}, "search: --top: expected a value");
  expect_usage({"sample", "corpus", "--set", "kmeans.cluster=3"},
               "unknown setting \"kmeans.cluster\"; did you mean \"kmeans.clusters\"?");
  expect_usage({"sample", "corpus", "--set", "kmeans.clusters=x"},
               "kmeans.clusters: expected an integer from 1 to 65536, found \"x\"");
  expect_usage({"sample", "corpus", "--device", "gpu"},
               "--device: expected cpu or cuda, found \"gpu\"; did you mean \"cpu\"?");
}

TEST(Usage, ValuesOutOfRangeAreRefused) {
  expect_usage({"sample", "corpus", "--items", "99"}, "--items: expected 100 to 1000000, found 99");
  expect_usage({"sample", "corpus", "--items", "1000001"}, "--items: expected 100 to 1000000, found 1000001");
  expect_usage({"sample", "corpus", "--threads", "-1"}, "--threads: expected 0 to 256, found -1");
  expect_usage({"evaluate", "run", "--split", "tset"}, "--split: expected train, dev or test, found \"tset\"");
  expect_usage({"evaluate", "run", "--pool", "test", "--unconstrained"},
               "--unconstrained: expected --pool all with it, since such a search knows no pool; found --pool test");
  expect_usage({"evaluate", "run", "--pool", "x"}, "--pool: expected all or test, found \"x\"");
  expect_usage({"evaluate", "run", "--beam", "5,0"},
               "--beam: expected 1 to 100000, or three like 5,25,50, found \"5,0\"");
  expect_usage({"evaluate", "run", "--beam", "5,10"}, "--beam: expected one or three, found \"5,10\"");
  expect_usage({"search", "run", "q", "--top", "0"}, "--top: expected 1 to 100000, found 0");
  expect_usage({"search", "run", "q", "--beam", "5"}, "--top: expected at most --beam = 5, found 10");
  expect_usage({"search", "run"}, "search: expected one of QUERY, --queries FILE, or - for standard input");
  expect_usage({"search", "run", "q", "--queries", "f"},
               "search: expected one of QUERY, --queries FILE, or - for standard input");
  expect_usage(
      {"import", "cloto", "a", "b", "--embeddings", "e.npy"},
      "DATASET: expected clotho, audiocaps, flickr30k, flickr8k, beir, found \"cloto\"; did you mean \"clotho\"?");
}

TEST(Usage, IntegersAreDecimal) {
  for (const char* value : {"", "abc", "1.5", "0x80", "+-0", "99999999999999999999"}) {
    const std::string found = std::string("expected an integer, found \"") + value + "\"";
    expect_usage({"sample", "corpus", "--items", value}, "--items: " + found);
    expect_usage({"search", "run", "q", "--top", value}, "--top: " + found);
    expect_usage({"sample", "corpus", "--threads", value}, "--threads: " + found);
  }
  expect_usage({"sample", "corpus", "--items", "010"}, "--items: expected 100 to 1000000, found 10");
  expect_usage({"sample", "corpus", "--threads", "4294967297"}, "--threads: expected 0 to 256, found 4294967297");
  for (const char* list : {"", "5,", ",", "5;25;50", "05x"}) {
    expect_usage({"evaluate", "run", "--beam", list},
                 std::string("--beam: expected 1 to 100000, or three like 5,25,50, found \"") + list + "\"");
  }
}

TEST(Usage, RulesBetweenSettingsOfAFileNameIt) {
  Folder folder;
  const std::string file = folder.file("heads.toml", "model.heads = 3\n");
  expect_usage({"sample", "corpus", "--config", file},
               "model.heads: expected a divisor of model.width = 512, found 3 (with " + file + ")");
}

TEST(Usage, ControlCharactersInWordsAreEscaped) {
  const Outcome outcome = run({"tr\x1b[31main\n"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
}

TEST(Usage, ABuildWithoutCudaSaysSo) {
  Folder folder;
  const Outcome outcome = run({"sample", folder / "corpus", "--device", "cuda"});
  if (outcome.code == 0) GTEST_SKIP() << "this build has CUDA and found a card";
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  EXPECT_NE(outcome.err.find("--device"), std::string::npos);
}

}  // namespace
}  // namespace tools_test
