#include "ace/text.h"

#include <gtest/gtest.h>

#include "tensor/error.h"
#include "tests/files.h"

namespace ace {
namespace {

std::string utf8(int32_t code) {
  std::string out;
  if (code < 0x80) return {char(code)};
  if (code < 0x800) return {char(0xC0 | code >> 6), char(0x80 | (code & 0x3F))};
  if (code < 0x10000) return {char(0xE0 | code >> 12), char(0x80 | (code >> 6 & 0x3F)), char(0x80 | (code & 0x3F))};
  return {char(0xF0 | code >> 18), char(0x80 | (code >> 12 & 0x3F)), char(0x80 | (code >> 6 & 0x3F)),
          char(0x80 | (code & 0x3F))};
}

TEST(Text, NormalizeFoldsCaseAndCompatibilityForms) {
  EXPECT_EQ(normalize("A Dog RUNS"), "a dog runs");
  EXPECT_EQ(normalize("Stra\u00DFe"), "strasse");
  EXPECT_EQ(normalize("\uFB01sh \u2460 \uFF21"), "fish 1 a");  // ligature, circled digit, full width
  EXPECT_EQ(normalize("e\u0301"), "\u00E9");                   // composed
  EXPECT_EQ(normalize("\u0130"), "i\u0307");
}

TEST(Text, NormalizeMakesWhiteSpaceSingleAndTrims) {
  EXPECT_EQ(normalize(" \t a \u00A0\n\u3000 b\r\n"), "a b");
  EXPECT_EQ(normalize(std::string("a\0b", 3)), "a b");
  EXPECT_EQ(normalize(" \n "), "");
  EXPECT_EQ(normalize(""), "");
}

TEST(Text, NormalizeDropsWhatIsNotShown) { EXPECT_EQ(normalize("so\u00ADft\u200D \uFEFFx"), "soft x"); }

TEST(Text, NormalizeOrdersMarksAndTakesTimeInProportionToThem) {
  EXPECT_EQ(normalize("q\u0307\u0323"), "q\u0323\u0307");            // by class
  EXPECT_EQ(normalize("q\u0307\u200D\u0323"), "q\u0323\u0307");      // also across what is dropped
  EXPECT_EQ(normalize("q\u0301\u0300"), "q\u0301\u0300");            // of one class as they stand
  EXPECT_EQ(normalize("a\u0F73\u0334 b"), "a\u0334\u0F71\u0F72 b");  // a mark of two
  const auto repeated = [](std::string_view part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
  };
  constexpr int many = 1'000'000;  // their square would take hours
  EXPECT_TRUE(normalize("q" + repeated("\u0301\u0323", many)) ==
              "q" + repeated("\u0323", many) + repeated("\u0301", many));
}

TEST(Text, NormalizingTwiceChangesNothingForEveryCharacter) {
  for (int32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    const std::string once = normalize(fmt::format("a{}b", utf8(code)));
    ASSERT_EQ(normalize(once), once) << code;
    ASSERT_TRUE(is_utf8(once)) << code;
  }
}

TEST(Text, NormalizeRefusesWhatIsNoUtf8InOneLine) {
  const std::string message = message_of([] { normalize("a\n\xFF"); });
  EXPECT_EQ(message, R"(text: expected UTF-8, found "a\n\xff")");
}

TEST(Text, Utf8IsStrict) {
  EXPECT_TRUE(is_utf8(""));
  for (const int32_t code : {0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF}) {
    EXPECT_TRUE(is_utf8(utf8(code))) << code;
    const Character first = first_character(utf8(code));
    EXPECT_EQ(first.code, code);
    EXPECT_EQ(size_t(first.bytes), utf8(code).size());
  }
  for (const std::string_view bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
                                     "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
                                     "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC3(", "\xE2\x28\xA1"}) {
    EXPECT_FALSE(is_utf8(bad)) << escape(bad);
    EXPECT_FALSE(is_utf8(fmt::format("ok {} ok", bad))) << escape(bad);
  }
}

TEST(Text, VisibleMeansThatSomethingWouldBeSeen) {
  for (const char* text : {"a", " . ", "\u72AC", "\U0001F600", "\u200B!"}) EXPECT_TRUE(has_visible(text)) << text;
  for (const char* text : {"", " \t\n", "\u00A0", "\u200B", "\uFEFF", "\u00AD", "\u3164", "\x1b", "\u0378"}) {
    EXPECT_FALSE(has_visible(text)) << escape(text);
  }
}

TEST(Text, EscapeLeavesNoControlCharacter) {
  EXPECT_EQ(escape("a\n\t\r\x1b[31m\x7f"), R"(a\n\t\r\x1b[31m\x7f)");
  EXPECT_EQ(escape("caf\u00E9 \u72AC"), "caf\u00E9 \u72AC");
  EXPECT_EQ(escape("\u202Egnp\u0085\u2028"), R"(\u202egnp\x85\u2028)");
  EXPECT_EQ(escape("\xFFx\xC3"), R"(\xffx\xc3)");
}

TEST(Text, QuoteCutsBetweenCharacters) {
  EXPECT_EQ(quote("abc", 3), "\"abc\"");
  EXPECT_EQ(quote("abcd", 3), "\"abc…\"");
  EXPECT_EQ(quote("ab\u00E9", 3), "\"ab…\"");
}

TEST(Text, ColumnsAreThoseOfATerminal) {
  EXPECT_EQ(columns_of("abc"), 3);
  EXPECT_EQ(columns_of("\u00e9e\u0301"), 2) << "an accent of its own takes none";
  EXPECT_EQ(columns_of("\u6c34\u6c34"), 4);
  EXPECT_EQ(columns_of("\xff"), 1);
}

TEST(Text, SingleSpacedKeepsEverythingButWhiteSpace) { EXPECT_EQ(single_spaced("  A\t \u00A0B\uFB01 "), "A B\uFB01"); }

}  // namespace
}  // namespace ace
