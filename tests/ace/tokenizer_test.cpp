#include "ace/tokenizer.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <chrono>
#include <random>
#include <set>

#include "ace/import.h"
#include "ace/text.h"
#include "tests/files.h"

namespace ace {
namespace {

const std::vector<std::string> few = {"A dog runs in the snow.", "Two dogs run in the park", "a man rides a bike",
                                      "The man with the dog", "snow falls on the park and the man"};

/// Sentences of made-up words, with some that share their letters so that segmentations tie.
std::vector<std::string> generated(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  const std::vector<std::string> parts = {"ka", "lo", "mi",  "nu",      "ra",     "so", "te", "vi",
                                          "a",  "on", "est", "\u00E9t", "\u72AC", "7",  "-"};
  std::vector<std::string> result;
  for (size_t i = 0; i < count; ++i) {
    std::string text;
    for (size_t w = 3 + random() % 9; w-- > 0;) {
      for (size_t p = 1 + random() % 4; p-- > 0;)
        text += parts[std::min(random() % parts.size(), random() % parts.size())];
      text += w ? " " : "";
    }
    result.push_back(text);
  }
  return result;
}

/// The library's own encoder over a table: a model file written field by field (Protocol Buffers' wire format) with our
/// pieces, so that what is compared is the segmentation alone.
class Library {
 public:
  explicit Library(const Tokenizer& tokenizer) {
    std::string model;
    for (int32_t id = 0; id < tokenizer.size(); ++id) {
      const float score = tokenizer.score(id);
      std::string piece = text(1, tokenizer.piece(id)) + std::string(1, char(2 << 3 | 5));
      piece.append(reinterpret_cast<const char*>(&score), 4);
      const int type = id == Tokenizer::unk ? 2 : id < Tokenizer::first_byte ? 3 : id < Tokenizer::first_piece ? 6 : 1;
      model += text(1, piece + number(3, type));
    }
    // trainer_spec: unigram, byte_fallback, unk_id, bos_id, eos_id, pad_id; normalizer_spec: identity
    model += text(2, number(3, 1) + number(35, 1) + number(40, 1) + number(42, 2) + number(43, 0));
    model += text(3, text(1, "identity"));
    EXPECT_TRUE(processor_.LoadFromSerializedProto(model).ok());
  }
  std::vector<int32_t> encode(const std::string& text) const {
    const std::vector<int> ids = processor_.EncodeAsIds(normalize(text));
    return {ids.begin(), ids.end()};
  }

 private:
  static std::string varint(uint64_t x) {
    std::string out;
    for (; x >= 0x80; x >>= 7) out += char(x | 0x80);
    return out + char(x);
  }
  static std::string number(int field, uint64_t value) { return varint(uint64_t(field) << 3) + varint(value); }
  static std::string text(int field, const std::string& value) {
    return varint(uint64_t(field) << 3 | 2) + varint(value.size()) + value;
  }
  sentencepiece::SentencePieceProcessor processor_;
};

void expect_equal(const Tokenizer& tokenizer, std::span<const std::string> texts) {
  const Library library(tokenizer);
  for (const std::string& text : texts) ASSERT_EQ(tokenizer.encode(text), library.encode(text)) << text;
}

TEST(Tokenizer, SpecialRowsComeFirst) {
  const Tokenizer tokenizer = Tokenizer::train(few, 8192);
  EXPECT_EQ(tokenizer.piece(Tokenizer::pad), "<pad>");
  EXPECT_EQ(tokenizer.piece(Tokenizer::unk), "<unk>");
  EXPECT_EQ(tokenizer.piece(Tokenizer::eos), "</s>");
  EXPECT_EQ(tokenizer.piece(3), "<0x00>");
  EXPECT_EQ(tokenizer.piece(258), "<0xFF>");
  EXPECT_GT(tokenizer.size(), 259 + 10);
  EXPECT_LT(tokenizer.size(), 400);
}

TEST(Tokenizer, TrainingIsDeterministicAndSilent) {
  const std::vector<std::string> texts = generated(500, 1);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const std::string first = Tokenizer::train(texts, 400).tsv(), second = Tokenizer::train(texts, 400).tsv();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(first, second);
}

TEST(Tokenizer, TrainsOnNormalisedText) {
  const Tokenizer upper = Tokenizer::train(std::vector<std::string>{"A DOG", " THE  DOG "}, 8192);
  EXPECT_EQ(upper.tsv(), Tokenizer::train(std::vector<std::string>{"a dog", "the dog"}, 8192).tsv());
  EXPECT_EQ(upper.encode("The Dog"), upper.encode("the\tdog"));
}

TEST(Tokenizer, TheTableRoundTripsToTheLastBit) {
  const Tokenizer tokenizer = Tokenizer::train(generated(500, 2), 400);
  const Tokenizer again = Tokenizer::parse(tokenizer.tsv(), "tokenizer.tsv");
  EXPECT_EQ(again.tsv(), tokenizer.tsv());
  ASSERT_EQ(again.size(), tokenizer.size());
  for (int32_t id = 0; id < again.size(); ++id) EXPECT_EQ(again.score(id), tokenizer.score(id));
  for (const std::string& text : few) EXPECT_EQ(again.encode(text), tokenizer.encode(text));
}

TEST(Tokenizer, ACopyStandsOnItsOwn) {
  auto original = std::make_unique<Tokenizer>(Tokenizer::train(few, 8192));
  const std::vector<int32_t> expected = original->encode("the dog");
  const Tokenizer copy = *original;
  original.reset();
  EXPECT_EQ(copy.encode("the dog"), expected);
}

TEST(Tokenizer, SegmentsLikeTheLibrary) {
  std::vector<std::string> texts = generated(3000, 3);
  const Tokenizer tokenizer = Tokenizer::train(texts, 600);
  for (const std::string& text : generated(500, 4)) texts.push_back(text);
  texts.insert(texts.end(),
               {"", " ", "x", "\U0001F600", "ka\U0001F469\u200D\U0001F680lo", "\u0623\u0647\u0644\u0627 kalo", "<unk>",
                "</s>", "<0x41>", "\u2585", "!?!", "kakakakakakakakakakaka", "\u00E9\u00E9\u00E9", "\U0010FFFF\uFFFD"});
  expect_equal(tokenizer, texts);
}

TEST(Tokenizer, SegmentsLikeTheLibraryWhenScoresTie) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    std::set<std::string> pieces = {"\u2581"};
    for (int i = 0; i < 40; ++i) {
      std::string piece = random() % 4 ? "" : "\u2581";
      for (size_t n = 1 + random() % 4; n-- > 0;) piece += char('a' + random() % 3);
      pieces.insert(piece);
    }
    std::string tsv = Tokenizer::parse(Tokenizer::train(few, 259).tsv(), "x").tsv();
    // Multiples of 0.1 are not exact in binary, so equal sums differ by rounding in all the ways they can.
    for (const std::string& piece : pieces)
      tsv += fmt::format("{}\t{}\n", piece, -0.1f * float(1 + random() % (round + 1)));
    std::vector<std::string> texts;
    for (int i = 0; i < 300; ++i) {
      std::string text;
      for (size_t n = random() % 60; n-- > 0;) text += "aaabbbccc d"[random() % 11];
      texts.push_back(text);
    }
    expect_equal(Tokenizer::parse(tsv, "x"), texts);
  }
}

TEST(Tokenizer, SegmentsRealCaptionsLikeTheLibrary) {
  if (real_data().empty()) GTEST_SKIP() << "ACE_CORPORA is not set";
  for (const auto& items : {read_clotho(real_data() / "clotho"), read_flickr30k(real_data() / "flickr30k")}) {
    std::vector<std::string> training, all;
    for (const CaptionedItem& item : items) {
      for (const std::string& caption : item.captions) {
        if (item.split == Split::train && training.size() < 20000) training.push_back(caption);
        all.push_back(caption);
      }
    }
    const Tokenizer tokenizer = Tokenizer::train(training, 8192);
    EXPECT_GT(tokenizer.size(), 4000);
    EXPECT_LE(tokenizer.size(), 8192);
    expect_equal(tokenizer, all);
  }
}

TEST(Tokenizer, DecodeGivesTheNormalisedText) {
  const Tokenizer tokenizer = Tokenizer::train(few, 8192);
  for (const std::string text : {"The DOG  runs", "\U0001F600 caf\u00E9", "a", "<pad> </s>", "x\u2581y"}) {
    const std::string expected = text == "x\u2581y" ? "x y" : normalize(text);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), expected);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode_query(text, 64)), expected);
  }
  EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{Tokenizer::unk, 3 + 0xC3, 3 + 'a', Tokenizer::pad}), "\uFFFD\uFFFDa");
  EXPECT_EQ(tokenizer.decode({}), "");
  EXPECT_THROW(tokenizer.decode(std::vector<int32_t>{-1}), tensor::Error);
  EXPECT_THROW(tokenizer.decode(std::vector<int32_t>{int32_t(tokenizer.size())}), tensor::Error);
}

TEST(Tokenizer, AQueryEndsWithEosAndIsCut) {
  const Tokenizer tokenizer = Tokenizer::train(few, 8192);
  const std::vector<int32_t> whole = tokenizer.encode("the dog runs in the park");
  ASSERT_GT(whole.size(), 5u);
  bool cut = true;
  std::vector<int32_t> query = tokenizer.encode_query("the dog runs in the park", int64_t(whole.size()) + 1, &cut);
  EXPECT_FALSE(cut);
  EXPECT_EQ(query.back(), Tokenizer::eos);
  query.pop_back();
  EXPECT_EQ(query, whole);
  query = tokenizer.encode_query("the dog runs in the park", 4, &cut);
  EXPECT_TRUE(cut);
  EXPECT_EQ(query, (std::vector<int32_t>{whole[0], whole[1], whole[2], Tokenizer::eos}));
  EXPECT_EQ(tokenizer.encode_query("", 4, &cut), std::vector<int32_t>{Tokenizer::eos});
  EXPECT_THROW(tokenizer.encode_query("a", 0), tensor::Error);
}

TEST(Tokenizer, AHundredThousandCharactersTakeMilliseconds) {
  const Tokenizer tokenizer = Tokenizer::train(generated(2000, 6), 1000);
  std::string text;
  for (const std::string& part : generated(8000, 7)) text += part + " ";
  text.resize(100000);
  while (!is_utf8(text)) text.pop_back();
  const auto start = std::chrono::steady_clock::now();
  const size_t tokens = tokenizer.encode(text).size();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_GT(tokens, 10000u);
  EXPECT_LT(seconds.count(), 0.5);  // some 10 ms when nothing else runs; a quadratic search would take minutes
}

TEST(Tokenizer, TinyCorporaAndSmallVocabulariesTrain) {
  for (const std::vector<std::string>& texts : std::vector<std::vector<std::string>>{{"a"},
                                                                                     {"a", ""},
                                                                                     {"\u72AC"},
                                                                                     {"\U0001F600\U0001F600"},
                                                                                     {"\u2585"},
                                                                                     {"<0x20> <unk> </s>"},
                                                                                     {std::string(100000, 'x')},
                                                                                     {std::string(200, '.')},
                                                                                     {"a b c d e f g"}}) {
    for (const int64_t pieces : {259, 260, 262, 8192}) {
      const Tokenizer tokenizer = Tokenizer::train(texts, pieces);
      EXPECT_LE(tokenizer.size(), pieces);
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(texts[0])), normalize(texts[0]));
      if (tokenizer.size() > Tokenizer::first_piece) expect_equal(tokenizer, texts);  // the library wants a piece
    }
  }
  const Tokenizer commonest = Tokenizer::train(std::vector<std::string>{"aaa bbb c"}, 262);
  EXPECT_EQ(std::set<std::string>({commonest.piece(259), commonest.piece(260), commonest.piece(261)}),
            (std::set<std::string>{"\u2581", "a", "b"}));
}

TEST(Tokenizer, AnEmptyCorpusFailsClearly) {
  EXPECT_EQ(message_of([] {
              Tokenizer::train(std::vector<std::string>{" ", "\u200B"}, 8192);
            }),
            "tokenizer: expected training texts, found 2 texts without a visible character");
  EXPECT_THROW(Tokenizer::train({}, 8192), tensor::Error);
  EXPECT_EQ(message_of([] { Tokenizer::train(few, 258); }),
            "tokenizer.pieces: expected at least 259 (3 special, 256 bytes), found 258");
}

TEST(Tokenizer, ParseRefusesWhatIsNoTable) {
  const std::string good = Tokenizer::train(few, 259).tsv();
  const auto said = [&](const std::string& tsv) { return message_of([&] { Tokenizer::parse(tsv, "t.tsv"); }); };
  EXPECT_EQ(said(good), "");
  EXPECT_EQ(said(""), "t.tsv: expected at least 259 lines, found 0");
  EXPECT_EQ(said("<pad>\t0\n"), "t.tsv: expected at least 259 lines, found 1");
  EXPECT_EQ(said("pad\t0\n"), R"(t.tsv:1: expected <pad>, found "pad")");
  EXPECT_EQ(said(good + "a"), R"(t.tsv:260: expected a line break at the end, found "a")");
  EXPECT_EQ(said(good + "a\n"), R"(t.tsv:260: expected piece, tab, log-probability, found "a")");
  EXPECT_EQ(said(good + "\t1\n"), R"(t.tsv:260: expected a piece of 1 to 1024 bytes, found "")");
  EXPECT_EQ(said(good + "a\t1\nb\t0\na\t2\n"), R"(t.tsv:262: expected a piece that no line above has, found "a")");
  EXPECT_EQ(said(good + "<unk>\t1\n"), R"(t.tsv:260: expected a piece that no line above has, found "<unk>")");
  for (const std::string number : {"", "x", "1x", " 1", "nan", "inf", "-inf", "1e99", "1\t2", "0x1p3"}) {
    EXPECT_NE(said(good + "a\t" + number + "\n").find("t.tsv:260: expected a finite number, found"), std::string::npos)
        << number;
  }
  for (const std::string piece : {"\xFF", "\\", "\\x", "a\\"}) {
    EXPECT_NE(said(good + piece + "\t1\n").find("t.tsv:260: expected a piece in UTF-8, found"), std::string::npos)
        << piece;
  }
}

TEST(Tokenizer, PiecesWithTabsAndBackslashesAreEscaped) {
  const std::string tsv = Tokenizer::train(few, 259).tsv() + "a\\tb\t-1\n\\\\\t-2\n\\n\\r\t-3\n";
  const Tokenizer tokenizer = Tokenizer::parse(tsv, "t.tsv");
  EXPECT_EQ(tokenizer.piece(259), "a\tb");
  EXPECT_EQ(tokenizer.piece(260), "\\");
  EXPECT_EQ(tokenizer.piece(261), "\n\r");
  EXPECT_EQ(tokenizer.tsv(), tsv);
}

}  // namespace
}  // namespace ace
