#include "ace/csv.h"

#include <algorithm>

#include "ace/text.h"
#include "tensor/error.h"

namespace ace {

CsvReader::CsvReader(std::string_view text, std::string origin) : rest_(text), origin_(std::move(origin)) {
  if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
}

bool CsvReader::at_line_end() const {
  return rest_.empty() || rest_[0] == '\n' || rest_ == "\r" || rest_.starts_with("\r\n");
}

std::string CsvReader::quoted() {
  const int64_t begin = line_;
  std::string field;
  rest_.remove_prefix(1);
  while (true) {
    const size_t end = rest_.find('"');
    tensor::check(end != rest_.npos, "{}:{}: expected a closing quote, found the end of the file", origin_, begin);
    const std::string_view part = rest_.substr(0, end);
    line_ += std::count(part.begin(), part.end(), '\n');
    field += part;
    rest_.remove_prefix(end + 1);
    if (!rest_.starts_with('"')) break;
    field += '"';
    rest_.remove_prefix(1);
  }
  tensor::check(at_line_end() || rest_[0] == ',', "{}:{}: expected a comma after the closing quote, found {}", origin_,
                line_, quote(rest_.substr(0, rest_.find('\n')), 20));
  return field;
}

std::string CsvReader::bare() {
  size_t size = 0;
  while (size < rest_.size() && rest_[size] != ',' && rest_[size] != '\n') ++size;
  if (size > 0 && rest_[size - 1] == '\r' && (size == rest_.size() || rest_[size] == '\n')) --size;
  const std::string_view field = rest_.substr(0, size);
  tensor::check(field.find('"') == field.npos, "{}:{}: expected quotes around the whole field, found {}", origin_,
                line_, quote(field));
  rest_.remove_prefix(size);
  return std::string(field);
}

bool CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  const auto skip_line_end = [&] {
    if (rest_.empty()) return;
    rest_.remove_prefix(rest_[0] == '\n' ? 1 : std::min<size_t>(2, rest_.size()));
    ++line_;
  };
  while (!rest_.empty() && at_line_end()) skip_line_end();
  if (rest_.empty()) return false;
  row_line_ = line_;
  while (true) {
    fields.push_back(rest_.starts_with('"') ? quoted() : bare());
    tensor::check(is_utf8(fields.back()), "{}:{}: expected UTF-8, found {}", origin_, row_line_, quote(fields.back()));
    if (!rest_.starts_with(',')) break;
    rest_.remove_prefix(1);
  }
  skip_line_end();
  return true;
}

CsvTable::CsvTable(std::string_view text, std::string origin, const std::vector<std::string>& columns)
    : reader_(text, std::move(origin)) {
  std::vector<std::string> header;
  tensor::check(reader_.next(header), "{}: expected a header line, found nothing", reader_.origin());
  width_ = header.size();
  for (const std::string& column : columns) {
    const auto found = std::find(header.begin(), header.end(), column);
    tensor::check(found != header.end() && std::count(found, header.end(), column) == 1,
                  "{}:{}: expected one column {}, found {}", reader_.origin(), reader_.line(), quote(column),
                  found == header.end() ? "none" : "several");
    places_.push_back(size_t(found - header.begin()));
  }
}

bool CsvTable::next(std::vector<std::string>& fields) {
  std::vector<std::string> row;
  if (!reader_.next(row)) return false;
  tensor::check(row.size() == width_, "{}:{}: expected {} fields, found {}", reader_.origin(), reader_.line(), width_,
                row.size());
  fields.clear();
  for (const size_t place : places_) fields.push_back(std::move(row[place]));
  return true;
}

}  // namespace ace
