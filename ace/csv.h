#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ace {

/// Reads comma-separated values (RFC 4180) row by row: fields may be quoted, and a quoted field may hold commas,
/// doubled quotes and line breaks. Lines end with LF or CRLF; a byte-order mark at the start is skipped; blank lines
/// are skipped. Fails, naming the line, on text that is not UTF-8, a quote inside a bare field, text after a closing
/// quote, or a quoted field that never ends.
class CsvReader {
 public:
  /// `text` must outlive the reader; `origin` names it in messages.
  CsvReader(std::string_view text, std::string origin);
  /// The next row, or false at the end.
  bool next(std::vector<std::string>& fields);
  /// The line (from 1) where the row that next() gave begins.
  int64_t line() const { return row_line_; }
  const std::string& origin() const { return origin_; }

 private:
  std::string quoted();
  std::string bare();
  bool at_line_end() const;
  std::string_view rest_;
  std::string origin_;
  int64_t line_ = 1, row_line_ = 0;
};

/// A table with a header line: gives the fields under the wanted columns, in that order. Fails when the header lacks
/// one or repeats one, or when a row has more or fewer fields than the header.
class CsvTable {
 public:
  CsvTable(std::string_view text, std::string origin, const std::vector<std::string>& columns);
  bool next(std::vector<std::string>& fields);
  int64_t line() const { return reader_.line(); }

 private:
  CsvReader reader_;
  std::vector<size_t> places_;
  size_t width_ = 0;
};

}  // namespace ace
