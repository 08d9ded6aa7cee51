#include "ace/import.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstring>

#include "ace/import_files.h"
#include "tensor/npy.h"
#include "tests/files.h"

namespace ace {
namespace {

using tensor::Tensor;

/// Row i of the embeddings is (i, i + 0.5).
Tensor numbered(int64_t rows) {
  Tensor x({rows, 2}, tensor::DType::f32);
  for (int64_t i = 0; i < rows * 2; ++i) x.data<float>()[i] = float(i / 2) + 0.5f * float(i % 2);
  return x;
}

std::filesystem::path write_embeddings(const TemporaryFolder& scratch, const Tensor& x) {
  const auto path = scratch.path() / "embeddings.npy";
  tensor::write_npy(path, x);
  return path;
}

/// What a judgement says: `split query-id item-id score: text`
std::vector<std::string> judgements(const Corpus& corpus) {
  std::vector<std::string> lines;
  for (size_t split = 0; split < 3; ++split) {
    for (const Judgement& j : corpus.judgements[split]) {
      const Query& query = corpus.queries[size_t(j.query)];
      lines.push_back(fmt::format("{} {} {} {}: {}", split_names[split], query.id, corpus.items[size_t(j.item)].id,
                                  j.score, query.text));
    }
  }
  return lines;
}

std::vector<std::string> ids(const Corpus& corpus) {
  std::vector<std::string> result;
  for (const Item& item : corpus.items) result.push_back(item.id + "|" + item.split);
  return result;
}

/// The message without the scratch folder.
template <class Call>
std::string said(const TemporaryFolder& scratch, const Call& call) {
  std::string message = message_of(call);
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (size_t at; (at = message.find(scratch.path().string())) != std::string::npos;) {
    const size_t size = scratch.path().string().size();
    message.erase(at, size + (message[at + size] == '/'));
  }
  return message;
}

const std::string clotho_header = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n";

void write_clotho(const TemporaryFolder& scratch) {
  scratch.write("clotho_captions_development.csv",
                clotho_header + " a b.wav,t1,\"t2, too\",t3 ,  t4  x,t5\nsame.wav,u1,u2,u3,u4,u5\n");
  scratch.write("clotho_captions_evaluation.csv",
                clotho_header + "same.wav,e1,e2,e3,e4,e5\r\n\"c,d.wav\",f1,f2,f3,f4,f5\r\n");
}

TEST(Import, ClothoKeepsNamesToTheLetterAndSplitsApart) {
  const TemporaryFolder scratch;
  write_clotho(scratch);
  const Corpus corpus = corpus_of(read_clotho(scratch.path()), "published");
  EXPECT_EQ(ids(corpus), (std::vector<std::string>{"train/ a b.wav|train", "train/same.wav|train", "test/same.wav|test",
                                                   "test/c,d.wav|test"}));
  const std::vector<std::string> lines = judgements(corpus);
  ASSERT_EQ(lines.size(), 20u);
  EXPECT_EQ(lines[1], "train q1 train/ a b.wav 1: t2, too");
  EXPECT_EQ(lines[3], "train q3 train/ a b.wav 1: t4 x");
  EXPECT_EQ(lines[10], "test q10 test/same.wav 1: e1");
  EXPECT_TRUE(corpus.judgements[1].empty());
}

TEST(Import, FourPlusOneKeepsOneCaptionOfEachTestItem) {
  const TemporaryFolder scratch;
  write_clotho(scratch);
  const Corpus corpus = corpus_of(read_clotho(scratch.path()), "4+1");
  const std::vector<std::string> lines = judgements(corpus);
  ASSERT_EQ(lines.size(), 20u);
  EXPECT_EQ(lines[10], "train q10 test/same.wav 1: e1");
  EXPECT_EQ(lines[12], "train q13 test/same.wav 1: e4");
  EXPECT_EQ(lines[18], "test q12 test/same.wav 1: e3");  // row 2 keeps caption 2 (from 0)
  EXPECT_EQ(lines[19], "test q18 test/c,d.wav 1: f4");
  const std::vector<CaptionedItem> lonely = {{"x", Split::test, {"one"}}};
  EXPECT_EQ(message_of([&] { corpus_of(lonely, "4+1"); }),
            "import: 4+1 needs two captions of each dev and test item; \"x\" has 1");
  EXPECT_EQ(message_of([&] { corpus_of(lonely, "5+0"); }), "import: expected protocol published or 4+1, found \"5+0\"");
}

TEST(Import, ClothoErrorsNameFileAndLine) {
  const TemporaryFolder scratch;
  const auto read = [&](const std::string& text) {
    scratch.write("clotho_captions_validation.csv", text);
    return said(scratch, [&] { read_clotho(scratch.path()); });
  };
  EXPECT_EQ(said(scratch, [&] { read_clotho(scratch.path()); }),
            ": expected clotho_captions_{development,validation,evaluation}.csv, found none of them");
  EXPECT_EQ(read("file_name,caption_1\n"),
            R"(clotho_captions_validation.csv:1: expected one column "caption_2", found none)");
  EXPECT_EQ(read(clotho_header + "a,1,2,3,4\n"), "clotho_captions_validation.csv:2: expected 6 fields, found 5");
  EXPECT_EQ(read(clotho_header + "a,1,2,3,4,5\na,1,2,3,4,5\n"),
            R"(clotho_captions_validation.csv:3: item "dev/a" appears twice)");
  EXPECT_EQ(read(clotho_header + "a,1,2, ,4,5\n"),
            R"(clotho_captions_validation.csv:2: expected a text with a visible character, found " ")");
  EXPECT_EQ(read(clotho_header + "a\tb.wav,1,2,3,4,5\n"),
            R"(clotho_captions_validation.csv:2: id "dev/a\tb.wav" has a control character)");
  EXPECT_EQ(read(clotho_header + ",1,2,3,4,5\n"), "clotho_captions_validation.csv:2: file_name is empty");
  EXPECT_EQ(said(scratch, [&] { read_clotho(scratch.path() / "none"); }),
            "none: expected a folder of published files, found nothing");
}

TEST(Import, AudioCapsGroupsRowsThatAreApart) {
  const TemporaryFolder scratch;
  scratch.write(
      "val.csv",
      "audiocap_id,youtube_id,start_time,caption\r\n1,-A,10,a1\r\n2,B,0,\"b1, and\"\r\n3,-A,10,a2\r\n4,a,0,small\r\n");
  const std::vector<CaptionedItem> items = read_audiocaps(scratch.path());
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].id, "dev/-A");
  EXPECT_EQ(items[0].captions, (std::vector<std::string>{"a1", "a2"}));
  EXPECT_EQ(items[1].captions, std::vector<std::string>{"b1, and"});
  EXPECT_EQ(items[2].id, "dev/a");
  scratch.write("test.csv", "youtube_id,caption\nx,\n");
  EXPECT_EQ(said(scratch, [&] { read_audiocaps(scratch.path()); }),
            R"(test.csv:2: expected a text with a visible character, found "")");
}

void write_gzip(const std::filesystem::path& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), unsigned(text.size()));
  gzclose(file);
}

TEST(Import, Flickr30kReadsMulti30kLineByLine) {
  const TemporaryFolder scratch;
  scratch.write("test_2016_images.txt", "1.jpg\n2.jpg\n");
  for (int k = 1; k <= 5; ++k)
    write_gzip(scratch.path() / fmt::format("test_2016.{}.en.gz", k), fmt::format("one {0} \"\ntwo, {0}\n", k));
  const std::vector<CaptionedItem> items = read_flickr30k(scratch.path());
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[1].id, "2.jpg");
  EXPECT_EQ(items[1].split, Split::test);
  EXPECT_EQ(items[0].captions, (std::vector<std::string>{"one 1 \"", "one 2 \"", "one 3 \"", "one 4 \"", "one 5 \""}));
  write_gzip(scratch.path() / "test_2016.3.en.gz", "one\n");
  EXPECT_EQ(said(scratch, [&] { read_flickr30k(scratch.path()); }),
            "test_2016.3.en.gz: expected 2 lines as in test_2016_images.txt, found 1");
  scratch.write("val_images.txt", "1.jpg\n");
  EXPECT_NE(said(scratch, [&] { read_flickr30k(scratch.path()); }).find("val.1.en.gz: "), std::string::npos);
}

TEST(Import, KarpathysFormPutsTrainFirst) {
  const TemporaryFolder scratch;
  const auto image = [](const char* name, const char* split) {
    return fmt::format(
        R"({{"imgid": 0, "filename": "{0}", "split": "{1}", "sentences": [{{"raw": "{0} a", "tokens": ["x"]}}, {{"raw": " b"}}]}})",
        name, split);
  };
  const std::string json = fmt::format(R"({{"images": [{}, {}, {}, {}], "dataset": "flickr30k"}})", image("t", "test"),
                                       image("v", "val"), image("a", "train"), image("b", "train"));
  scratch.write("dataset_flickr30k.json", json);
  scratch.write("dataset_flickr8k.json", json);
  const Corpus corpus = corpus_of(read_flickr30k(scratch.path()), "published");
  EXPECT_EQ(ids(corpus), (std::vector<std::string>{"a|train", "b|train", "v|dev", "t|test"}));
  EXPECT_EQ(judgements(corpus)[7], "test q7 t 1: b");
  EXPECT_EQ(ids(corpus_of(read_flickr8k(scratch.path()), "published")), ids(corpus));
  const auto read = [&](const std::string& text) {
    scratch.write("dataset_flickr30k.json", text);
    return said(scratch, [&] { read_flickr30k(scratch.path()); });
  };
  EXPECT_EQ(read("{}"), "dataset_flickr30k.json: expected an object with a list \"images\"");
  EXPECT_EQ(read("[]"), "dataset_flickr30k.json: expected an object with a list \"images\"");
  EXPECT_EQ(read(R"({"images": [{"filename": 1}]})"),
            "dataset_flickr30k.json: image 0: \"filename\": expected a string, found number");
  EXPECT_EQ(read(fmt::format(R"({{"images": [{}]}})", image("t", "x"))),
            "dataset_flickr30k.json: image 0: \"split\": expected train, val or test, found \"x\"");
  EXPECT_EQ(read(fmt::format(R"({{"images": [{}, {}]}})", image("t", "val"), image("t", "test"))),
            "dataset_flickr30k.json: image 1: item \"t\" appears twice");
  EXPECT_NE(read("{\"images\": [").find("dataset_flickr30k.json: "), std::string::npos);
}

TEST(Import, Flickr8kTakesImagesFromItsLists) {
  const TemporaryFolder scratch;
  scratch.write("Flickr8k.token.txt", "a.jpg#1\tsecond\nb.jpg#0\tof b\na.jpg#0\tfirst .\nleft_out.jpg.1#0\tx\n");
  scratch.write("Flickr_8k.testImages.txt", "a.jpg\n");
  scratch.write("Flickr_8k.trainImages.txt", "b.jpg\r\n");
  const Corpus corpus = corpus_of(read_flickr8k(scratch.path()), "published");
  EXPECT_EQ(ids(corpus), (std::vector<std::string>{"b.jpg|train", "a.jpg|test"}));
  EXPECT_EQ(judgements(corpus), (std::vector<std::string>{"train q0 b.jpg 1: of b", "test q1 a.jpg 1: first .",
                                                          "test q2 a.jpg 1: second"}));
  scratch.write("Flickr_8k.devImages.txt", "a.jpg\n");
  EXPECT_EQ(said(scratch, [&] { read_flickr8k(scratch.path()); }),
            "Flickr_8k.testImages.txt:1: item \"a.jpg\" appears twice");
  scratch.write("Flickr_8k.devImages.txt", "\nc.jpg\n");
  EXPECT_EQ(said(scratch, [&] { read_flickr8k(scratch.path()); }),
            "Flickr_8k.devImages.txt:2: image \"c.jpg\" has no captions");
}

TEST(Import, Flickr8kErrorsNameFileAndLine) {
  const TemporaryFolder scratch;
  EXPECT_EQ(said(scratch, [&] { read_flickr8k(scratch.path()); }),
            ": expected Flickr8k.token.txt, dataset_flickr8k.json or captions.tsv, found none of them");
  const auto read = [&](const std::string& text) {
    scratch.write("Flickr8k.token.txt", text);
    return said(scratch, [&] { read_flickr8k(scratch.path()); });
  };
  EXPECT_EQ(read("a.jpg#0 text\n"), "Flickr8k.token.txt:1: expected 2 columns with tabs between, found 1");
  EXPECT_EQ(read("a.jpg\ttext\n"), "Flickr8k.token.txt:1: expected image#number, found \"a.jpg\"");
  EXPECT_EQ(read("a.jpg#x\ttext\n"), "Flickr8k.token.txt:1: expected a whole number, found \"x\"");
  EXPECT_EQ(read("a.jpg#0\ttext\na.jpg#0\tmore\n"),
            "Flickr8k.token.txt:2: image \"a.jpg\" has two captions of number 0");
  EXPECT_EQ(read("a.jpg#0\t\xFF\n"), R"(Flickr8k.token.txt:1: expected UTF-8, found "a.jpg#0\t\xff")");
  EXPECT_EQ(read("a.jpg#0\ttext\n"), ": expected Flickr_8k.{trainImages,devImages,testImages}.txt, found none of them");
}

TEST(Import, Flickr8kWithoutSplitsFollowsImageIds) {
  const TemporaryFolder scratch;
  scratch.write("captions.tsv", "a.jpg\t0\tof a\nb.jpg\t0\tof b\n");
  EXPECT_EQ(ids(corpus_of(read_flickr8k(scratch.path()), "published")),
            (std::vector<std::string>{"a.jpg|test", "b.jpg|test"}));
  scratch.write("image_ids.txt", "b.jpg\na.jpg\n");
  EXPECT_EQ(ids(corpus_of(read_flickr8k(scratch.path()), "published")),
            (std::vector<std::string>{"b.jpg|test", "a.jpg|test"}));
}

void write_beir(const TemporaryFolder& scratch) {
  scratch.write("corpus.jsonl",
                "{\"_id\": \"d1\", \"title\": \"T\", \"text\": \"body\", \"metadata\": {}}\n\n{\"_id\": \"d 2\", "
                "\"text\": \"x\", \"split\": \"test\"}\n");
  scratch.write("queries.jsonl", "{\"_id\": \"q\", \"text\": \" what  is \"}\n{\"_id\": \"r\", \"text\": \"why\"}\n");
  scratch.write("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\td1\t2\nq\td 2\t0\nr\td 2\t1\n");
}

TEST(Import, BeirKeepsGradesAboveZero) {
  const TemporaryFolder scratch;
  write_beir(scratch);
  const Corpus corpus = read_beir(scratch.path());
  EXPECT_EQ(ids(corpus), (std::vector<std::string>{"d1|", "d 2|test"}));
  EXPECT_EQ(corpus.items[0].title, "T");
  EXPECT_EQ(corpus.items[0].text, "body");
  EXPECT_EQ(judgements(corpus), (std::vector<std::string>{"test q d1 2: what is", "test r d 2 1: why"}));
}

TEST(Import, BeirErrorsNameFileAndLine) {
  const TemporaryFolder scratch;
  const auto read = [&](const std::string& name, const std::string& text) {
    write_beir(scratch);
    scratch.write(name, text);
    return said(scratch, [&] { read_beir(scratch.path()); });
  };
  EXPECT_EQ(read("corpus.jsonl", "{\"_id\": \"d1\"}\n{}\n"), "corpus.jsonl:2: \"_id\" missing");
  EXPECT_EQ(read("corpus.jsonl", "[1]\n"), "corpus.jsonl:1: expected a JSON object, found \"[1]\"");
  EXPECT_EQ(read("corpus.jsonl", "{\"_id\": 1}\n"), "corpus.jsonl:1: \"_id\": expected a string, found number");
  EXPECT_EQ(read("corpus.jsonl", "{\"_id\": \"d\"}\n{\"_id\": \"d\"}"), "corpus.jsonl:2: \"_id\" \"d\" appears twice");
  EXPECT_EQ(read("corpus.jsonl", "{\"_id\": \"d\\u0001\"}"), "corpus.jsonl:1: id \"d\\x01\" has a control character");
  EXPECT_EQ(read("queries.jsonl", "{\"_id\": \"q\\t\", \"text\": \"a\"}"),
            "queries.jsonl:1: id \"q\\t\" has a control character");
  EXPECT_EQ(read("corpus.jsonl", "{\"_id\": \"d\", \"split\": \"x\"}"),
            "corpus.jsonl:1: \"split\": expected train, dev or test, found \"x\"");
  EXPECT_NE(read("corpus.jsonl", "{\"_id\": \"d\"}\n{\"_id\n").find("corpus.jsonl:2: "), std::string::npos);
  EXPECT_EQ(read("queries.jsonl", "{\"_id\": \"q\", \"text\": \"\\u200b\"}"),
            "queries.jsonl:1: expected a text with a visible character, found \"\\u200b\"");
  EXPECT_EQ(read("qrels/test.tsv", ""), "qrels/test.tsv: expected a header line, found nothing");
  EXPECT_EQ(read("qrels/test.tsv", "q\td1\t1\n"),
            "qrels/test.tsv:1: expected the header query-id, corpus-id, score, found \"q\\td1\\t1\"");
  EXPECT_EQ(read("qrels/test.tsv", "query-id\tc\ts\nq\tz\t1\n"), "qrels/test.tsv:2: \"z\" is not in corpus.jsonl");
  EXPECT_EQ(read("qrels/test.tsv", "query-id\tc\ts\nz\td1\t1\n"), "qrels/test.tsv:2: \"z\" is not in queries.jsonl");
  EXPECT_EQ(read("qrels/test.tsv", "query-id\tc\ts\nq\td1\t1.5\n"),
            "qrels/test.tsv:2: expected a whole number, found \"1.5\"");
  EXPECT_EQ(read("qrels/test.tsv", "query-id\tc\ts\nq d1 1\n"),
            "qrels/test.tsv:2: expected 3 columns with tabs between, found 1");
  EXPECT_EQ(read("qrels/test.tsv", "query-id\tc\ts\nq\td1\t1\nq\td1\t1\n"),
            "qrels/test.tsv:3: query \"q\" judges item \"d1\" twice");
}

struct Small : TemporaryFolder {
  ImportOptions options;
  Small() {
    write_clotho(*this);
    options.dataset = "clotho";
    options.source = path();
    options.embeddings = write_embeddings(*this, numbered(4));
  }
  std::string message() const {
    return said(*this, [&] { import_corpus(options); });
  }
};

TEST(Import, EmbeddingsFollowTheItems) {
  Small small;
  const Corpus corpus = import_corpus(small.options);
  ASSERT_EQ(corpus.items.size(), 4u);
  EXPECT_EQ(corpus.embeddings.values<const float>()[6], 3.0f);
  for (const tensor::DType type : {tensor::DType::f16, tensor::DType::f64}) {
    write_embeddings(small, numbered(4).to(type));
    EXPECT_EQ(import_corpus(small.options).embeddings.dtype(), type);
  }
}

TEST(Import, AnImportedCorpusIsWrittenAndLoadedAgain) {
  Small small;
  const Corpus corpus = import_corpus(small.options);
  write_corpus(small.path() / "corpus", corpus);
  const Corpus loaded = load_corpus(small.path() / "corpus");
  EXPECT_EQ(ids(loaded), ids(corpus));
  EXPECT_EQ(judgements(loaded), judgements(corpus));
  EXPECT_EQ(loaded.embeddings.values<const float>()[6], 3.0f);
}

TEST(Import, IdsReorderTheEmbeddings) {
  Small small;
  for (const tensor::DType type : {tensor::DType::f16, tensor::DType::f32, tensor::DType::f64}) {
    write_embeddings(small, numbered(4).to(type));
    small.options.ids = small.write("ids.txt", "test/same.wav\ntrain/ a b.wav\ntest/c,d.wav\ntrain/same.wav\n");
    const Tensor x = import_corpus(small.options).embeddings;
    EXPECT_EQ(x.dtype(), type);
    const Tensor values = x.to(tensor::DType::f32);
    const std::vector<float> expected = {1, 1.5, 3, 3.5, 0, 0.5, 2, 2.5};
    EXPECT_EQ(std::vector<float>(values.data<float>(), values.data<float>() + 8), expected);
    small.options.ids = small.write("ids.jsonl",
                                    "{\"_id\": \"test/same.wav\"}\n{\"_id\": \"train/ a b.wav\"}\n{\"_id\": "
                                    "\"test/c,d.wav\"}\n{\"_id\": \"train/same.wav\"}\n");
    const Tensor again = import_corpus(small.options).embeddings.to(tensor::DType::f32);
    EXPECT_EQ(std::vector<float>(again.data<float>(), again.data<float>() + 8), expected);
  }
}

TEST(Import, MissingUnknownAndDoubleIdsFail) {
  Small small;
  const auto with = [&](const std::string& ids) {
    small.options.ids = small.write("ids.txt", ids);
    return small.message();
  };
  EXPECT_EQ(with("test/same.wav\ntrain/same.wav\n"), "ids.txt: item \"train/ a b.wav\" is missing");
  EXPECT_EQ(with("test/same.wav\ntest/same.wav\n"), "ids.txt:2: item \"test/same.wav\" appears twice");
  EXPECT_EQ(with("test/same.wav\nsame.wav\n"), "ids.txt:2: the data set has no item \"same.wav\"");
}

TEST(Import, EmbeddingsThatDoNotFitFail) {
  Small small;
  write_embeddings(small, numbered(5));
  EXPECT_EQ(small.message(), "embeddings.npy: expected 4 rows, one for each item, found 5");
  write_embeddings(small, numbered(4).reshape({8}));
  EXPECT_EQ(small.message(), "embeddings.npy: expected float16, float32 or float64 [N, D], found float32 [8]");
  write_embeddings(small, numbered(4).to(tensor::DType::i32));
  EXPECT_EQ(small.message(), "embeddings.npy: expected float16, float32 or float64 [N, D], found int32 [4, 2]");
  for (const tensor::DType type : {tensor::DType::f16, tensor::DType::f32, tensor::DType::f64}) {
    Tensor x = numbered(4);
    x.data<float>()[5] = NAN;
    write_embeddings(small, x.to(type));
    EXPECT_EQ(small.message(), "embeddings.npy: row 2 (from 0) has a number that is not finite in float32");
    x.data<float>()[5] = x.data<float>()[4] = 0;
    write_embeddings(small, x.to(type));
    EXPECT_EQ(small.message(), "embeddings.npy: row 2 (from 0) is all zeros");
  }
  write_embeddings(small, tensor::full({4, 2}, tensor::DType::f64, 1e39));
  EXPECT_EQ(small.message(), "embeddings.npy: row 0 (from 0) has a number that is not finite in float32");
}

TEST(Import, GeneratedQueriesTrain) {
  Small small;
  small.options.queries =
      small.write("generated.jsonl",
                  "{\"item\": \"test/same.wav\", \"text\": \" made  up \"}\n{\"_id\": \"q21\", \"item\": "
                  "\"test/same.wav\", \"text\": \"named\"}\n{\"item\": \"test/c,d.wav\", \"text\": \"more\"}\n");
  const Corpus corpus = import_corpus(small.options);
  const std::vector<std::string> lines = judgements(corpus);
  ASSERT_EQ(lines.size(), 23u);
  EXPECT_EQ(lines[10], "train q20 test/same.wav 1: made up");
  EXPECT_EQ(lines[11], "train q21 test/same.wav 1: named");
  EXPECT_EQ(lines[12], "train q22 test/c,d.wav 1: more");
  EXPECT_EQ(corpus.judgements[2].size(), 10u);
  const auto with = [&](const std::string& line) {
    small.write("generated.jsonl", line);
    return small.message();
  };
  EXPECT_EQ(with("{\"item\": \"x\", \"text\": \"a\"}"), "generated.jsonl:1: the data set has no item \"x\"");
  EXPECT_EQ(with("{\"item\": \"test/same.wav\"}"), "generated.jsonl:1: \"text\" missing");
  EXPECT_EQ(with("{\"text\": \"a\"}"), "generated.jsonl:1: \"item\" missing");
  EXPECT_EQ(with("\n{\"item\": \"test/same.wav\", \"text\": \" \"}"),
            "generated.jsonl:2: expected a text with a visible character, found \" \"");
  EXPECT_EQ(with("{\"_id\": \"q0\", \"item\": \"test/same.wav\", \"text\": \"a\"}"),
            "generated.jsonl:1: \"_id\" \"q0\" appears twice");
  EXPECT_EQ(with("{\"_id\": \"a\\tb\", \"item\": \"test/same.wav\", \"text\": \"a\"}"),
            "generated.jsonl:1: id \"a\\tb\" has a control character");
  EXPECT_EQ(with("{\"_id\": \"q20\", \"item\": \"test/same.wav\", \"text\": \"a\"}\n"
                 "{\"_id\": null, \"item\": \"test/same.wav\", \"text\": \"a\"}"),
            "")
      << "null is no id: the next that is free";
}

TEST(Import, UnknownNamesFail) {
  Small small;
  small.options.dataset = "coco";
  EXPECT_EQ(small.message(), "import: expected clotho, audiocaps, flickr30k, flickr8k or beir, found \"coco\"");
  small.options.dataset = "beir";
  small.options.protocol = "4+1";
  EXPECT_EQ(small.message(), "import: beir has no captions to keep back: expected protocol published, found \"4+1\"");
}

/// The queries, judgements and items of a ready corpus folder, as corpus_of gives them.
void expect_reproduces(const Corpus& corpus, const std::filesystem::path& ready) {
  const Corpus expected = read_beir(ready);
  EXPECT_EQ(ids(corpus), ids(expected));
  ASSERT_EQ(corpus.queries.size(), expected.queries.size());
  for (size_t i = 0; i < corpus.queries.size(); ++i) {
    ASSERT_EQ(corpus.queries[i].id, expected.queries[i].id);
    ASSERT_EQ(corpus.queries[i].text, expected.queries[i].text);
  }
  EXPECT_EQ(judgements(corpus), judgements(expected));
  ASSERT_EQ(corpus.embeddings.bytes(), tensor::read_npy(ready / "items.npy").bytes());
  EXPECT_EQ(std::memcmp(corpus.embeddings.raw(), tensor::read_npy(ready / "items.npy").raw(),
                        size_t(corpus.embeddings.bytes())),
            0);
}

TEST(Import, FourPlusOneReproducesTheReadyCorpora) {
  if (real_data().empty()) GTEST_SKIP() << "ACE_CORPORA is not set";
  ImportOptions options;
  options.protocol = "4+1";
  options.dataset = "clotho";
  options.source = real_data() / "clotho";
  options.embeddings = real_data() / "corpora/clotho-lsa/items.npy";
  expect_reproduces(import_corpus(options), real_data() / "corpora/clotho-lsa");
  options.dataset = "flickr8k";
  options.source = real_data() / "flickr8k_clip";
  options.embeddings = options.source / "image_embeddings.npy";
  options.ids = options.source / "image_ids.txt";
  expect_reproduces(import_corpus(options), real_data() / "corpora/flickr8k-clip");
}

TEST(Import, PublishedCountsAreRead) {
  if (real_data().empty()) GTEST_SKIP() << "ACE_CORPORA is not set";
  const auto counts = [](const std::vector<CaptionedItem>& items) {
    std::array<size_t, 6> result{};
    for (const CaptionedItem& item : items) {
      result[size_t(item.split)] += 1;
      result[3 + size_t(item.split)] += item.captions.size();
    }
    return result;
  };
  EXPECT_EQ(counts(read_clotho(real_data() / "clotho")), (std::array<size_t, 6>{3839, 1045, 1045, 19195, 5225, 5225}));
  EXPECT_EQ(counts(read_audiocaps(real_data() / "audiocaps")),
            (std::array<size_t, 6>{49838, 495, 975, 49838, 2475, 4875}));
  EXPECT_EQ(counts(read_flickr30k(real_data() / "flickr30k")),
            (std::array<size_t, 6>{29000, 1014, 1000, 145000, 5070, 5000}));
  EXPECT_EQ(counts(read_flickr8k(real_data() / "flickr8k_clip")), (std::array<size_t, 6>{0, 0, 1000, 0, 0, 5000}));
}

}  // namespace
}  // namespace ace
