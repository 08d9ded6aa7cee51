#include <algorithm>
#include <bit>
#include <charconv>
#include <functional>
#include <limits>

#include "ace/checksum.h"
#include "ace/corpus.h"
#include "ace/lines.h"
#include "ace/text.h"
#include "tensor/file.h"
#include "tensor/npy.h"

namespace ace {
namespace {

namespace fs = std::filesystem;
using tensor::check;
using tensor::DType;
using tensor::fail;
using tensor::name_of;

void check_folder(const fs::path& folder) {
  check(tensor::exists(folder), "{}: no such corpus folder", name_of(folder));
  check(fs::is_directory(folder), "{}: expected a corpus folder, found a file", name_of(folder));
  for (const char* name : {"corpus.jsonl", "items.npy", "queries.jsonl"}) {
    check(tensor::exists(folder / name), "{}: not a corpus folder: {} is missing", name_of(folder), name);
  }
}

std::string take_id(const Place& place, std::optional<std::string>& id) {
  place.check(id.has_value(), "\"_id\" missing");
  if (const char* const fault = id_fault(*id)) place.fail("\"_id\" {} {}", quote(*id), fault);
  return std::move(*id);
}

/// The rows by id, which must be unique. The table holds row numbers alone, open addressing at most half full: of ten
/// million ids it takes 128 MiB.
class Index {
 public:
  template <class Row>
  Index(const std::vector<Row>& rows, const std::string& file)
      : id_([&rows](int32_t row) -> std::string_view { return rows[size_t(row)].id; }),
        slots_(std::bit_ceil(2 * rows.size() + 1), none) {
    check(rows.size() <= size_t(std::numeric_limits<int32_t>::max()), "{}: too many lines ({})", file, rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      int32_t& slot = slots_[place_of(rows[i].id)];
      if (slot != none) {  // line = number + 1, since no line is empty
        Place{file, int64_t(i) + 1}.fail("\"_id\" {} is that of line {} too", quote(rows[i].id), slot + 1);
      }
      slot = int32_t(i);
    }
  }
  /// The row that has this id, or none.
  int32_t find(std::string_view id) const { return slots_[place_of(id)]; }
  static constexpr int32_t none = -1;

 private:
  /// The slot of the id, or the empty one where the search for it ends.
  size_t place_of(std::string_view id) const {
    size_t place = std::hash<std::string_view>()(id) & (slots_.size() - 1);
    while (slots_[place] != none && id_(slots_[place]) != id) place = (place + 1) & (slots_.size() - 1);
    return place;
  }
  std::function<std::string_view(int32_t)> id_;
  std::vector<int32_t> slots_;
};

std::vector<Query> parse_queries(std::string_view text, const std::string& file) {
  std::vector<Query> queries;
  queries.reserve(size_t(std::count(text.begin(), text.end(), '\n')) + 1);
  ObjectReader reader({"_id", "text"});
  for_each_line(text, file, [&](const Place& place, std::string_view line) {
    const auto values = reader.read(place, line);
    Query& query = queries.emplace_back();
    query.id = take_id(place, values[0]);
    place.check(values[1].has_value(), "\"text\" missing");
    query.text = std::move(*values[1]);
    place.check(has_visible(query.text), "\"text\" has no visible character");
  });
  return queries;
}

std::array<std::string_view, 3> columns(const Place& place, std::string_view line) {
  const auto count = std::count(line.begin(), line.end(), '\t') + 1;
  place.check(count == 3, "expected 3 columns between tabs (query, item, score), found {}", count);
  const size_t first = line.find('\t'), second = line.find('\t', first + 1);
  return {line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)};
}

std::optional<int32_t> integer(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int32_t known(const Place& place, const Index& index, std::string_view id, std::string_view what) {
  const int32_t found = index.find(id);
  if (found == Index::none) place.fail("unknown {} {}", what, quote(id));
  return found;
}

void check_repeats(const std::vector<Judgement>& judgements, const std::string& file) {
  struct Row {
    uint64_t pair;
    int64_t line;
    auto operator<=>(const Row&) const = default;
  };
  std::vector<Row> rows;
  rows.reserve(judgements.size());
  for (const Judgement& j : judgements) {
    rows.push_back({uint64_t(uint32_t(j.query)) << 32 | uint32_t(j.item), int64_t(rows.size()) + 2});
  }
  std::sort(rows.begin(), rows.end());
  const auto repeat = std::adjacent_find(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.pair == b.pair; });
  if (repeat != rows.end()) {
    Place{file, repeat[1].line}.fail("the query and item of line {} again", repeat[0].line);
  }
}

std::vector<Judgement> parse_judgements(std::string_view text, const std::string& file, const Index& queries,
                                        const Index& items) {
  std::vector<Judgement> judgements;
  bool header = false;
  for_each_line(text, file, [&](const Place& place, std::string_view line) {
    const auto [query, item, score] = columns(place, line);
    if (place.line == 1) {
      place.check(!integer(score), "expected a header line (query-id, corpus-id, score), found a judgement");
      header = true;
      return;
    }
    const std::optional<int32_t> value = integer(score);
    if (!value) place.fail("expected an integer score, found {}", quote(score));
    judgements.push_back({known(place, queries, query, "query"), known(place, items, item, "item"), *value});
  });
  check(header, "{}: expected a header line (query-id, corpus-id, score), found nothing", file);
  check_repeats(judgements, file);
  std::erase_if(judgements, [](const Judgement& j) { return j.score <= 0; });
  return judgements;
}

/// The bits of the smallest and of the first too large magnitude. Bits of positive floats are ordered like the floats.
template <class Bits>
struct Limits {
  Bits smallest, too_large;
};

/// What is wrong with a row, if anything. v + (top − limit) has its top bit set exactly if v ≥ limit, so that two ors
/// answer for the whole row, and the loop vectorises on any processor.
template <class Bits>
const char* row_fault(const Bits* row, int64_t cols, Limits<Bits> limits) {
  constexpr Bits top = Bits(Bits(1) << (8 * sizeof(Bits) - 1)), magnitude = Bits(top - 1);
  const Bits to_smallest = Bits(top - limits.smallest), to_too_large = Bits(top - limits.too_large);
  Bits nonzero = 0, bad = 0;
  for (int64_t i = 0; i < cols; ++i) {
    const Bits value = row[i] & magnitude;
    nonzero |= Bits(value + to_smallest);
    bad |= Bits(value + to_too_large);
  }
  if (bad & top) return "has a number that is not finite in float32";
  if (!(nonzero & top)) return "is all zeros";
  return nullptr;
}

template <class Bits>
void check_rows_within(Limits<Bits> limits, const tensor::Tensor& x, int64_t begin, int64_t end,
                       const std::string& file) {
  const auto* const data = static_cast<const Bits*>(x.raw());
  for (int64_t i = begin; i < end; ++i) {
    if (const char* const fault = row_fault(data + i * x.cols(), x.cols(), limits)) {
      fail("{}: row {} (from 0) {}", file, i, fault);
    }
  }
}

/// Adds the file of the embeddings to the checksum and checks its numbers, in one pass: it may be larger than memory.
void add_embeddings(Checksum& checksum, std::span<const std::byte> file, const tensor::Tensor& x,
                    const std::string& name) {
  constexpr int64_t rows = 256;
  const int64_t row_bytes = x.cols() * size_of(x.dtype());
  size_t at = file.size() - size_t(x.bytes());
  checksum.add(file.first(at));
  for (int64_t begin = 0; begin < x.rows(); begin += rows) {
    const int64_t end = std::min(begin + rows, x.rows());
    check_rows(x, begin, end, name);
    const size_t size = size_t((end - begin) * row_bytes);
    checksum.add(file.subspan(at, size));
    at += size;
  }
}

/// XXH64 over name, size and bytes of each file that is there, in this order. Checks the embeddings' numbers on the
/// way.
std::string checksum_of(const fs::path& folder, const tensor::Tensor& embeddings) {
  Checksum checksum;
  for (const char* name : {"corpus.jsonl", "items.npy", "queries.jsonl", "qrels/train.tsv", "qrels/dev.tsv",
                           "qrels/test.tsv", "settings.toml"}) {
    if (!tensor::exists(folder / name)) continue;
    const tensor::MappedFile file(folder / name);
    checksum.add(fmt::format("{} {}\n", name, file.bytes().size()));
    if (name == std::string_view("items.npy")) {
      add_embeddings(checksum, file.bytes(), embeddings, name_of(folder / name));
    } else {
      checksum.add(file.bytes());
    }
  }
  return checksum.text();
}

}  // namespace

const char* id_fault(std::string_view id) {
  if (id.empty()) return "is empty";
  const bool control = std::any_of(id.begin(), id.end(), [](char c) { return uint8_t(c) < 0x20 || c == 0x7f; });
  return control ? "has a control character" : nullptr;
}

void check_rows(const tensor::Tensor& x, int64_t begin, int64_t end, const std::string& file) {
  if (x.dtype() == DType::f16) check_rows_within<uint16_t>({1, 0x7c00}, x, begin, end, file);
  if (x.dtype() == DType::f32) check_rows_within<uint32_t>({1, 0x7f800000}, x, begin, end, file);
  if (x.dtype() == DType::f64) {  // everything is computed in f32, so that its range holds
    using F32 = std::numeric_limits<float>;
    const auto bits = [](float x) { return std::bit_cast<uint64_t>(double(x)); };
    check_rows_within<uint64_t>({bits(F32::denorm_min()), bits(F32::max()) + 1}, x, begin, end, file);
  }
}

void check_embeddings(const tensor::Tensor& x, size_t items, const std::string& file) {
  const DType type = x.dtype();
  check((type == DType::f16 || type == DType::f32 || type == DType::f64) && x.rank() == 2 && x.cols() >= 1,
        "{}: expected float16, float32 or float64 [N, D], found {} {}", file, name_of(type), x.shape());
  check(x.rows() == int64_t(items), "{}: expected {} rows, one for each item, found {}", file, items, x.rows());
}

std::vector<Item> parse_items(std::string_view text, const std::string& file) {
  std::vector<Item> items;
  items.reserve(size_t(std::count(text.begin(), text.end(), '\n')) + 1);  // growing would take half as much again
  ObjectReader reader({"_id", "split", "title", "text", "path"});
  for_each_line(text, file, [&](const Place& place, std::string_view line) {
    const auto values = reader.read(place, line);
    Item& item = items.emplace_back();
    item.id = take_id(place, values[0]);
    item.split = std::move(values[1]).value_or("");
    item.title = std::move(values[2]).value_or("");
    item.text = std::move(values[3]).value_or("");
    item.path = std::move(values[4]).value_or("");
    const bool known =
        item.split.empty() || std::find(split_names.begin(), split_names.end(), item.split) != split_names.end();
    if (!known) place.fail("expected split train, dev or test, found {}", quote(item.split));
  });
  check(!items.empty(), "{}: expected at least one item, found none", file);
  Index(items, file);
  return items;
}

Corpus load_corpus(const fs::path& folder) {
  check_folder(folder);
  Corpus corpus;
  corpus.folder = folder;
  corpus.items = parse_items(tensor::MappedFile(folder / "corpus.jsonl").text(), name_of(folder / "corpus.jsonl"));
  corpus.queries =
      parse_queries(tensor::MappedFile(folder / "queries.jsonl").text(), name_of(folder / "queries.jsonl"));
  const Index items(corpus.items, name_of(folder / "corpus.jsonl"));
  const Index queries(corpus.queries, name_of(folder / "queries.jsonl"));
  for (size_t i = 0; i < split_names.size(); ++i) {
    const fs::path path = folder / "qrels" / fmt::format("{}.tsv", split_names[i]);
    if (!tensor::exists(path)) continue;
    corpus.judgements[i] = parse_judgements(tensor::MappedFile(path).text(), name_of(path), queries, items);
  }
  corpus.embeddings = tensor::read_npy(folder / "items.npy");
  check_embeddings(corpus.embeddings, corpus.items.size(), name_of(folder / "items.npy"));
  if (tensor::exists(folder / "settings.toml")) corpus.settings = tensor::read_file(folder / "settings.toml", 1 << 20);
  corpus.checksum = checksum_of(folder, corpus.embeddings);
  return corpus;
}

}  // namespace ace
