#include "ace/corpus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>

#include "tensor/npy.h"
#include "tests/files.h"

namespace ace {
namespace {

namespace fs = std::filesystem;
using tensor::DType;
using tensor::Tensor;

/// A small good corpus on disk, to be spoilt by a test. Items a, b, "c d"; queries q1 … q4.
class CorpusTest : public testing::Test {
 protected:
  CorpusTest() {
    fs::create_directories(folder() / "qrels");
    put(folder() / "corpus.jsonl",
        "{\"_id\": \"a\", \"split\": \"train\", \"title\": \"A\", \"text\": \"ä\", \"path\": \"a.jpg\"}\n"
        "{\"_id\": \"b\", \"metadata\": {\"_id\": [1, {}]}, \"title\": null}\n"
        "{\"_id\": \"c d\", \"split\": \"test\"}\n");
    put(folder() / "queries.jsonl",
        "{\"_id\": \"q1\", \"text\": \"one\"}\n{\"_id\": \"q2\", \"text\": \"two\"}\n"
        "{\"_id\": \"q3\", \"text\": \"three\"}\n{\"_id\": \"q4\", \"text\": \"four\"}\n");
    put(folder() / "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\ta\t2\nq3\tb\t0\n");
    put(folder() / "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq4\tc d\t1\n");
    embed(Tensor::of<float>({3, 2}, {3, 4, -1, 0, 0, 0.5f}));
  }
  fs::path folder() const { return folder_ / "corpus"; }
  void embed(const Tensor& x) { tensor::write_npy(folder() / "items.npy", x); }
  Corpus load() { return load_corpus(folder()); }
  /// What loading fails with, after the folder's name and a slash.
  std::string fault() {
    const std::string message = message_of([&] { load(); }), name = folder().string();
    EXPECT_TRUE(message.starts_with(name)) << "\"" << message << "\"";
    return message.substr(std::min(name.size() + 1, message.size()));
  }
  std::string fault(const std::string& file, const std::string& text) {
    put(folder() / file, text);
    return fault();
  }
  std::string items(const std::string& second) { return fault("corpus.jsonl", "{\"_id\": \"a\"}\n" + second + "\n"); }
  std::string queries(const std::string& second) {
    return fault("queries.jsonl", "{\"_id\": \"q1\", \"text\": \"t\"}\n" + second + "\n");
  }
  std::string judgements(const std::string& lines) { return fault("qrels/train.tsv", "q\titem\tscore\n" + lines); }

  TemporaryFolder folder_;
};

TEST_F(CorpusTest, IsReadAsWritten) {
  const Corpus corpus = load();
  ASSERT_EQ(corpus.items.size(), 3u);
  EXPECT_EQ(corpus.items[0].id, "a");
  EXPECT_EQ(corpus.items[0].split, "train");
  EXPECT_EQ(corpus.items[0].title, "A");
  EXPECT_EQ(corpus.items[0].text, "ä");
  EXPECT_EQ(corpus.items[0].path, "a.jpg");
  EXPECT_EQ(corpus.items[1].id, "b");
  EXPECT_EQ(corpus.items[1].title, "");
  EXPECT_EQ(corpus.items[2].id, "c d");
  ASSERT_EQ(corpus.queries.size(), 4u);
  EXPECT_EQ(corpus.queries[3].text, "four");
  const auto& [train, dev, test] = corpus.judgements;
  ASSERT_EQ(train.size(), 2u);  // a score of 0 is checked and not kept
  EXPECT_EQ(train[1].query, 1);
  EXPECT_EQ(train[1].item, 0);
  EXPECT_EQ(train[1].score, 2);
  EXPECT_TRUE(dev.empty());  // no file, no judgements
  ASSERT_EQ(test.size(), 1u);
  EXPECT_EQ(test[0].item, 2);
  EXPECT_EQ(corpus.width(), 2);
  EXPECT_EQ(corpus.checksum.size(), 16u);
}

TEST_F(CorpusTest, ToleratesCarriageReturnsAndMissingOrEmptyLastLines) {
  const Corpus plain = load();
  for (const char* name : {"corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels/test.tsv"}) {
    std::string text = get(folder() / name), with_returns;
    for (const char c : text) with_returns += c == '\n' ? "\r\n" : std::string(1, c);
    for (const std::string& variant :
         {with_returns, with_returns + "\r\n\n", text + "\n", text.substr(0, text.size() - 1)}) {
      put(folder() / name, variant);
      const Corpus corpus = load();
      EXPECT_EQ(corpus.items[2].id, "c d");
      EXPECT_EQ(corpus.queries[3].text, "four");
      EXPECT_EQ(corpus.judgements[0].size(), 2u);
      EXPECT_EQ(corpus.judgements[2].size(), 1u);
      EXPECT_NE(corpus.checksum, plain.checksum);
    }
    put(folder() / name, text);
  }
  EXPECT_EQ(load().checksum, plain.checksum);
}

TEST_F(CorpusTest, ItemLinesAreChecked) {
  EXPECT_EQ(items("{\"id\": \"b\"}"), "corpus.jsonl:2: \"_id\" missing");
  EXPECT_EQ(items("{\"_id\": null}"), "corpus.jsonl:2: \"_id\" missing");
  EXPECT_EQ(items("{\"_id\": \"\"}"), "corpus.jsonl:2: \"_id\" \"\" is empty");
  EXPECT_EQ(items("{\"_id\": 7}"), "corpus.jsonl:2: expected text in \"_id\", found a number");
  EXPECT_EQ(items("{\"_id\": {\"_id\": \"b\"}}"), "corpus.jsonl:2: expected text in \"_id\", found an object");
  EXPECT_EQ(items("{\"_id\": \"b\", \"title\": [\"x\"]}"), "corpus.jsonl:2: expected text in \"title\", found a list");
  EXPECT_EQ(items("{\"_id\": \"b\", \"_id\": \"c\"}"), "corpus.jsonl:2: \"_id\" appears twice");
  EXPECT_EQ(items("{\"_id\": \"a\"}"), "corpus.jsonl:2: \"_id\" \"a\" is that of line 1 too");
  EXPECT_EQ(items("{\"_id\": \"b\\tc\"}"), "corpus.jsonl:2: \"_id\" \"b\\tc\" has a control character");
  EXPECT_EQ(items("{\"_id\": \"b\", \"split\": \"Train\"}"),
            "corpus.jsonl:2: expected split train, dev or test, found \"Train\"");
  EXPECT_EQ(items("[1]"), "corpus.jsonl:2: expected a JSON object, found a list");
  EXPECT_EQ(items("3"), "corpus.jsonl:2: expected a JSON object, found a number");
  EXPECT_EQ(items("\n{\"_id\": \"b\"}"), "corpus.jsonl:2: empty line");
  EXPECT_EQ(items("{\"_id\": \"b\xff\"}"), "corpus.jsonl:2: not UTF-8: \"{\"_id\": \"b\\xff\"}\"");
  EXPECT_EQ(fault("corpus.jsonl", ""), "corpus.jsonl: expected at least one item, found none");
  EXPECT_EQ(fault("corpus.jsonl", "\n\n"), "corpus.jsonl: expected at least one item, found none");
}

TEST_F(CorpusTest, JsonErrorsNameLineAndColumn) {
  EXPECT_TRUE(items("{\"_id\": b}").starts_with("corpus.jsonl:2: column 9: syntax error"));
  EXPECT_TRUE(items("{\"_id\": \"b\"} {}").starts_with("corpus.jsonl:2: column 14: "));
  EXPECT_TRUE(items("{\"_id\": \"b\"").starts_with("corpus.jsonl:2: column 1"));
  EXPECT_TRUE(items("{\"_id\": \"b\", \"x\": 1e999}").starts_with("corpus.jsonl:2: column "));
  EXPECT_TRUE(items(std::string(1'000'000, '[')).starts_with("corpus.jsonl:2: expected a JSON object"));
  EXPECT_TRUE(items("{\"_id\": \"b\", \"x\": " + std::string(1'000'000, '[')).starts_with("corpus.jsonl:2: column "));
}

TEST_F(CorpusTest, QueryLinesAreChecked) {
  EXPECT_EQ(queries("{\"_id\": \"q2\"}"), "queries.jsonl:2: \"text\" missing");
  EXPECT_EQ(queries("{\"_id\": \"q2\", \"text\": \" \\n\"}"), "queries.jsonl:2: \"text\" has no visible character");
  EXPECT_EQ(queries("{\"_id\": \"q2\", \"text\": false}"),
            "queries.jsonl:2: expected text in \"text\", found a truth value");
  EXPECT_EQ(queries("{\"text\": \"t\"}"), "queries.jsonl:2: \"_id\" missing");
  EXPECT_EQ(queries("{\"_id\": \"q1\", \"text\": \"t\"}"), "queries.jsonl:2: \"_id\" \"q1\" is that of line 1 too");
}

TEST_F(CorpusTest, JudgementLinesAreChecked) {
  const std::string columns = "expected 3 columns between tabs (query, item, score), found ";
  const std::string header = "expected a header line (query-id, corpus-id, score), found ";
  EXPECT_EQ(judgements("q1\ta\t1\nq2\ta\n"), "qrels/train.tsv:3: " + columns + "2");
  EXPECT_EQ(judgements("q1\t0\ta\t1\n"), "qrels/train.tsv:2: " + columns + "4");
  EXPECT_EQ(judgements("q1 a 1\n"), "qrels/train.tsv:2: " + columns + "1");
  EXPECT_EQ(judgements("x\ta\t1\n"), "qrels/train.tsv:2: unknown query \"x\"");
  EXPECT_EQ(judgements("q1\tx\x1b[1m\t1\n"), "qrels/train.tsv:2: unknown item \"x\\x1b[1m\"");
  for (const char* score : {"", "1.0", "one", "1 ", "99999999999"}) {
    EXPECT_EQ(judgements(std::string("q1\ta\t") + score + "\n"),
              fmt::format("qrels/train.tsv:2: expected an integer score, found \"{}\"", score));
  }
  EXPECT_EQ(judgements("q1\ta\t1\nq2\ta\t1\nq1\ta\t0\n"), "qrels/train.tsv:4: the query and item of line 2 again");
  EXPECT_EQ(judgements("q1\ta\t1\n\nq2\ta\t1\n"), "qrels/train.tsv:3: empty line");
  EXPECT_EQ(fault("qrels/train.tsv", "q1\ta\t1\n"), "qrels/train.tsv:1: " + header + "a judgement");
  EXPECT_EQ(fault("qrels/train.tsv", ""), "qrels/train.tsv: " + header + "nothing");
  EXPECT_EQ(fault("qrels/train.tsv", "q\titem\tscore\nq1\ta\t1\n\xc0\x80\n"),
            "qrels/train.tsv:3: not UTF-8: \"\\xc0\\x80\"");
}

TEST_F(CorpusTest, EmbeddingsMustBeFloatsOnePerItem) {
  const std::string expected = "items.npy: expected float16, float32 or float64 [N, D], found ";
  embed(tensor::full({3, 2}, DType::i64, 1));
  EXPECT_EQ(fault(), expected + "int64 [3, 2]");
  embed(tensor::full({3}, DType::f32, 1));
  EXPECT_EQ(fault(), expected + "float32 [3]");
  embed(tensor::full({3, 0}, DType::f16, 1));
  EXPECT_EQ(fault(), expected + "float16 [3, 0]");
  embed(tensor::full({4, 2}, DType::f16, 1));
  EXPECT_EQ(fault(), "items.npy: expected 3 rows, one for each item, found 4");
}

TEST_F(CorpusTest, EmbeddingsMustBeFiniteAndNotZero) {
  for (const DType type : {DType::f16, DType::f32, DType::f64}) {
    for (const int64_t width : {1, 2, 7, 64, 513}) {
      const auto with = [&](double value) {
        Tensor x = tensor::full({3, width}, DType::f64, -0.0);
        for (int64_t i = 0; i < 3; ++i) x.values<double>()[size_t(i * width)] = 1;
        x.values<double>()[size_t(2 * width - 1)] = value;  // the last of row 1
        embed(x.to(type));
      };
      for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        with(bad);
        EXPECT_EQ(fault(), "items.npy: row 1 (from 0) has a number that is not finite in float32");
      }
      with(6e4);  // nearly the largest f16
      EXPECT_EQ(load().embeddings.dtype(), type);
      with(-6e-8);  // the smallest f16
      load();
      if (width == 1) {
        with(-0.0);
        EXPECT_EQ(fault(), "items.npy: row 1 (from 0) is all zeros");
      }
    }
  }
  embed(Tensor::of<double>({3, 1}, {1, 1e39, 1}));
  EXPECT_EQ(fault(), "items.npy: row 1 (from 0) has a number that is not finite in float32");
  embed(Tensor::of<double>({3, 1}, {1, 1, 1e-46}));
  EXPECT_EQ(fault(), "items.npy: row 2 (from 0) is all zeros");
}

TEST_F(CorpusTest, OtherThingsThanACorpusAreNamed) {
  EXPECT_EQ(message_of([&] { load_corpus(folder_ / "none"); }),
            (folder_ / "none").string() + ": no such corpus folder");
  const fs::path file = folder() / "corpus.jsonl";
  EXPECT_EQ(message_of([&] { load_corpus(file); }), file.string() + ": expected a corpus folder, found a file");
  for (const char* name : {"corpus.jsonl", "items.npy", "queries.jsonl"}) {
    const std::string bytes = get(folder() / name);
    fs::remove(folder() / name);
    EXPECT_EQ(message_of([&] { load(); }),
              fmt::format("{}: not a corpus folder: {} is missing", folder().string(), name));
    fs::create_directory(folder() / name);
    EXPECT_EQ(fault(), fmt::format("{}: cannot read: Is a directory", name));
    fs::remove(folder() / name);
    put(folder() / name, bytes);
  }
}

TEST_F(CorpusTest, ChecksumSeesEveryFile) {
  const std::string before = load().checksum;
  EXPECT_EQ(load().checksum, before);
  for (const char* name : {"corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels/dev.tsv", "qrels/test.tsv"}) {
    const std::string text = fs::exists(folder() / name) ? get(folder() / name) : "q\ti\ts\n";
    put(folder() / name, text + "\n");
    EXPECT_NE(load().checksum, before) << name;
    put(folder() / name, text);
    if (name == std::string("qrels/dev.tsv")) fs::remove(folder() / name);
  }
  EXPECT_EQ(load().checksum, before);
  embed(Tensor::of<float>({3, 2}, {3, 4, -1, 0, 0, 0.25f}));
  EXPECT_NE(load().checksum, before);
}

TEST_F(CorpusTest, IsWrittenAsRead) {
  embed(Tensor::of<double>({3, 1}, {1, 2, 3}).to(DType::f16));
  Corpus corpus = load();
  corpus.items[1].title = "quote \" tab\t\n – \U0001F3B5";
  corpus.settings = "[kmeans]\nclusters = 8\n";
  write_corpus(folder_ / "copy/", corpus);
  const Corpus copy = load_corpus(folder_ / "copy");
  EXPECT_EQ(copy.items.size(), corpus.items.size());
  for (size_t i = 0; i < copy.items.size(); ++i) {
    EXPECT_EQ(copy.items[i].id, corpus.items[i].id);
    EXPECT_EQ(copy.items[i].split, corpus.items[i].split);
    EXPECT_EQ(copy.items[i].title, corpus.items[i].title);
    EXPECT_EQ(copy.items[i].text, corpus.items[i].text);
    EXPECT_EQ(copy.items[i].path, corpus.items[i].path);
  }
  EXPECT_EQ(copy.queries.size(), 4u);
  EXPECT_EQ(copy.judgements[0].size(), 2u);
  EXPECT_EQ(copy.judgements[0][1].score, 2);
  EXPECT_EQ(copy.embeddings.dtype(), DType::f16);
  EXPECT_EQ(copy.settings, corpus.settings);
}

TEST_F(CorpusTest, WritingNeverReplacesAndLeavesNothingBehindWhenItFails) {
  Corpus corpus = load();
  fs::create_directory(folder_ / "there");
  EXPECT_TRUE(fails_with("there: exists already", [&] { write_corpus(folder_ / "there", corpus); }));
  corpus.queries[0].text = "\xff";
  EXPECT_TRUE(fails_with("\"\\xff\" is not UTF-8", [&] { write_corpus(folder_ / "copy", corpus); }));
  corpus.embeddings = corpus.embeddings.range(0, 2);
  EXPECT_TRUE(fails_with("expected 3 rows of embeddings, found 2", [&] { write_corpus(folder_ / "copy", corpus); }));
  size_t entries = 0;
  for (const auto& entry : fs::directory_iterator(folder_.path())) entries += entry.exists();
  EXPECT_EQ(entries, 2u);  // corpus and there
}

TEST_F(CorpusTest, TestPoolIsBySplitOrElseByJudgement) {
  Corpus corpus = load();
  EXPECT_EQ(test_pool(corpus), (std::vector<int32_t>{2}));
  corpus.items[1].split = "test";
  corpus.judgements[2] = {{0, 0, 1}};
  EXPECT_EQ(test_pool(corpus), (std::vector<int32_t>{1, 2}));
  for (Item& item : corpus.items) item.split.clear();
  corpus.judgements[2] = {{3, 2, 1}, {0, 0, 1}, {1, 2, 1}};
  EXPECT_EQ(test_pool(corpus), (std::vector<int32_t>{0, 2}));
}

TEST_F(CorpusTest, DocumentsJoinTrainingTextsOnly) {
  EXPECT_EQ(training_texts(load()), (std::vector<std::string>{"one two", "", ""}));
}

TEST(RealCorpus, LoadsWithTheKnownCounts) {
  const char* const corpora = std::getenv("ACE_CORPORA");
  if (!corpora) GTEST_SKIP() << "ACE_CORPORA names no folder with the real corpora";
  const Corpus flickr = load_corpus(fs::path(corpora) / "corpora/flickr8k-clip");
  EXPECT_EQ(flickr.items.size(), 1000u);
  EXPECT_EQ(flickr.queries.size(), 5000u);
  EXPECT_EQ(flickr.judgements[0].size(), 4000u);
  EXPECT_EQ(flickr.judgements[2].size(), 1000u);
  EXPECT_EQ(flickr.width(), 512);
  EXPECT_EQ(test_pool(flickr).size(), 1000u);
  const Corpus clotho = load_corpus(fs::path(corpora) / "corpora/clotho-lsa");
  EXPECT_EQ(clotho.items.size(), 5929u);
  EXPECT_EQ(test_pool(clotho).size(), 1045u);
  const TemporaryFolder folder;
  write_corpus(folder / "copy", clotho);
  EXPECT_EQ(load_corpus(folder / "copy").items.size(), 5929u);
}

}  // namespace
}  // namespace ace
