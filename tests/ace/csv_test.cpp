#include "ace/csv.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "ace/gzip.h"
#include "tensor/error.h"
#include "tests/files.h"

namespace ace {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(std::string_view text) {
  CsvReader reader(text, "x.csv");
  Rows rows;
  for (std::vector<std::string> row; reader.next(row);) rows.push_back(row);
  return rows;
}

TEST(Csv, ReadsPlainAndQuotedFields) {
  EXPECT_EQ(rows_of("a,b\n1,\"x, \"\"y\"\"\nz\"\n"), (Rows{{"a", "b"}, {"1", "x, \"y\"\nz"}}));
  EXPECT_EQ(rows_of(" a ,,\"\"\n"), (Rows{{" a ", "", ""}}));
}

TEST(Csv, LinesEndWithOrWithoutCarriageReturnAndTheLastMayEndWithNeither) {
  const Rows expected = {{"a", "b"}, {"c", "d"}};
  for (const char* text : {"a,b\nc,d", "a,b\nc,d\n", "a,b\r\nc,d\r\n", "a,b\r\nc,\"d\"\r\n", "a,b\r\n\r\n\nc,d",
                           "\xEF\xBB\xBF"
                           "a,b\nc,d\r"}) {
    EXPECT_EQ(rows_of(text), expected) << text;
  }
  EXPECT_EQ(rows_of(""), Rows{});
  EXPECT_EQ(rows_of("\n\r\n"), Rows{});
}

TEST(Csv, ErrorsNameTheLine) {
  EXPECT_EQ(message_of([] { rows_of("a\n\"x\ny"); }), "x.csv:2: expected a closing quote, found the end of the file");
  EXPECT_EQ(message_of([] { rows_of("a\nx\"y\n"); }),
            R"(x.csv:2: expected quotes around the whole field, found "x"y")");
  EXPECT_EQ(message_of([] { rows_of("a\n\"x\n\"y\n"); }),
            R"(x.csv:3: expected a comma after the closing quote, found "y")");
  EXPECT_EQ(message_of([] { rows_of("a\nb,\xFF\n"); }), R"(x.csv:2: expected UTF-8, found "\xff")");
}

TEST(Csv, LineNumbersCountTheBreaksInsideFields) {
  CsvReader reader("a\n\"1\n2\n\"\nb\n", "x.csv");
  std::vector<std::string> row;
  std::vector<int64_t> lines;
  while (reader.next(row)) lines.push_back(reader.line());
  EXPECT_EQ(lines, (std::vector<int64_t>{1, 2, 5}));
}

TEST(Csv, ATableGivesTheWantedColumns) {
  CsvTable table("id,start,name\n1,2,x\n", "x.csv", {"name", "id"});
  std::vector<std::string> row;
  ASSERT_TRUE(table.next(row));
  EXPECT_EQ(row, (std::vector<std::string>{"x", "1"}));
  EXPECT_FALSE(table.next(row));
}

TEST(Csv, ATableRefusesMissingColumnsAndRaggedRows) {
  EXPECT_EQ(message_of([] { CsvTable("a,b\n", "x.csv", {"c"}); }), "x.csv:1: expected one column \"c\", found none");
  EXPECT_EQ(message_of([] { CsvTable("a,a\n", "x.csv", {"a"}); }), "x.csv:1: expected one column \"a\", found several");
  EXPECT_EQ(message_of([] { CsvTable("", "x.csv", {"a"}); }), "x.csv: expected a header line, found nothing");
  std::vector<std::string> row;
  CsvTable table("a,b\n1\n", "x.csv", {"a"});
  EXPECT_EQ(message_of([&] { table.next(row); }), "x.csv:2: expected 2 fields, found 1");
}

std::filesystem::path write_gzip(const TemporaryFolder& scratch, const std::string& text) {
  const auto path = scratch.path() / "x.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), unsigned(text.size()));
  gzclose(file);
  return path;
}

TEST(Gzip, GivesTheWholeText) {
  const TemporaryFolder scratch;
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i * 7919 % 100003) + "\n";
  const auto path = write_gzip(scratch, text);
  EXPECT_EQ(read_gzip(path), text);
  EXPECT_EQ(read_gzip(path, text.size()), text);
  EXPECT_THROW(read_gzip(path, text.size() - 1), tensor::Error);
  EXPECT_EQ(read_gzip(scratch.write("plain.gz", "as it is")), "as it is");
}

TEST(Gzip, RefusesDamagedCutAndMissingFiles) {
  const TemporaryFolder scratch;
  const auto path = write_gzip(scratch, std::string(100000, 'x') + "end");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 10);
  EXPECT_EQ(message_of([&] { read_gzip(path); }),
            path.string() + ": expected a whole gzip file, found: unexpected end of file");
  const auto missing = scratch.path() / "none.gz";
  EXPECT_EQ(message_of([&] { read_gzip(missing); }), missing.string() + ": cannot open: No such file or directory");
  EXPECT_NE(message_of([&] { read_gzip(scratch.path()); }).find("found a folder"), std::string::npos);
  EXPECT_NE(message_of([&] { read_gzip("/dev/zero"); }).find("found a pipe or device"), std::string::npos);
}

}  // namespace
}  // namespace ace
