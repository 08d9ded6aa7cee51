#include "ace/tokenizer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <unordered_set>

#include "ace/text.h"
#include "tensor/error.h"

namespace ace {
namespace {

constexpr std::string_view space = "\u2581";
constexpr std::string_view replacement = "\uFFFD";
constexpr size_t longest_piece = 1024;
/// What a character without a piece costs below the least likely piece (SentencePiece's value).
constexpr float unknown_penalty = 10;

std::string byte_piece(int byte) { return fmt::format("<0x{:02X}>", byte); }

std::string replace(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (size_t at; (at = text.find(from)) != std::string_view::npos; text.remove_prefix(at + from.size())) {
    result.append(text.substr(0, at)).append(to);
  }
  return result.append(text);
}

std::string escape_piece(const std::string& piece) {
  std::string result;
  for (const char c : piece) {
    switch (c) {
      case '\t':
        result += "\\t";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      case '\\':
        result += "\\\\";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// Undoes escape_piece; false for an escape it does not write.
bool unescape_piece(std::string_view text, std::string& piece) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      piece += text[i];
      continue;
    }
    if (++i == text.size()) return false;
    switch (text[i]) {
      case 't':
        piece += '\t';
        break;
      case 'n':
        piece += '\n';
        break;
      case 'r':
        piece += '\r';
        break;
      case '\\':
        piece += '\\';
        break;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace

void PieceTree::build(std::span<const std::string> pieces, int32_t first) {
  std::vector<int32_t> order(pieces.size() - size_t(first));
  std::iota(order.begin(), order.end(), first);
  std::sort(order.begin(), order.end(), [&](int32_t x, int32_t y) { return pieces[size_t(x)] < pieces[size_t(y)]; });
  // Level by level: a node is a range of the sorted pieces that share its prefix; the piece that ends here comes first.
  struct Range {
    size_t begin, end;
  };
  first_.clear(), piece_.clear(), byte_ = {0};
  std::vector<Range> ranges = {{0, order.size()}}, below;
  for (size_t depth = 0; !ranges.empty(); ++depth, ranges.swap(below), below.clear()) {
    const size_t first_below = first_.size() + ranges.size();
    for (auto [begin, end] : ranges) {
      const bool ends = begin < end && pieces[size_t(order[begin])].size() == depth;
      piece_.push_back(ends ? order[begin++] : -1);
      first_.push_back(int32_t(first_below + below.size()));
      while (begin < end) {
        const char byte = pieces[size_t(order[begin])][depth];
        size_t next = begin + 1;
        while (next < end && pieces[size_t(order[next])][depth] == byte) ++next;
        below.push_back({begin, next});
        byte_.push_back(uint8_t(byte));
        begin = next;
      }
    }
  }
  first_.push_back(int32_t(piece_.size()));
}

int32_t PieceTree::step(int32_t node, uint8_t byte) const {
  const auto begin = byte_.begin() + first_[size_t(node)], end = byte_.begin() + first_[size_t(node) + 1];
  const auto found = std::lower_bound(begin, end, byte);
  return found != end && *found == byte ? int32_t(found - byte_.begin()) : -1;
}

Tokenizer::Tokenizer() {
  add("<pad>", 0);
  add("<unk>", 0);
  add("</s>", 0);
  for (int byte = 0; byte < 256; ++byte) add(byte_piece(byte), 0);
}

std::string Tokenizer::prepare(std::string_view text) {
  std::string normal = normalize(text);
  if (normal.find(space) == normal.npos) return normal;
  return normalize(replace(normal, space, " "));
}

void Tokenizer::add(std::string piece, float score) {
  pieces_.push_back(std::move(piece));
  scores_.push_back(score);
}

void Tokenizer::finish() {
  tree_.build(pieces_, first_piece);
  const auto begin = scores_.begin() + first_piece;
  unknown_score_ = (begin == scores_.end() ? 0.0f : *std::min_element(begin, scores_.end())) - unknown_penalty;
}

std::string Tokenizer::tsv() const {
  std::string result;
  for (size_t id = 0; id < pieces_.size(); ++id) {
    result += fmt::format("{}\t{}\n", escape_piece(pieces_[id]), scores_[id]);
  }
  return result;
}

Tokenizer Tokenizer::parse(std::string_view tsv, std::string_view origin) {
  Tokenizer result;
  const Tokenizer special;
  result.pieces_.clear(), result.scores_.clear();
  std::unordered_set<std::string> seen;
  while (!tsv.empty()) {
    const size_t id = result.pieces_.size();
    const auto expect = [&](bool condition, std::string_view wanted, std::string_view found) {
      tensor::check(condition, "{}:{}: expected {}, found {}", origin, id + 1, wanted, quote(found));
    };
    const size_t end = tsv.find('\n');
    const std::string_view line = tsv.substr(0, end);
    expect(end != tsv.npos, "a line break at the end", line);
    tsv.remove_prefix(end + 1);
    const size_t tab = line.find('\t');
    expect(tab != line.npos, "piece, tab, log-probability", line);
    std::string piece;
    expect(unescape_piece(line.substr(0, tab), piece) && is_utf8(piece), "a piece in UTF-8", line.substr(0, tab));
    expect(!piece.empty() && piece.size() <= longest_piece, "a piece of 1 to 1024 bytes", piece);
    if (id < size_t(first_piece)) expect(piece == special.pieces_[id], special.pieces_[id], piece);
    expect(seen.insert(piece).second, "a piece that no line above has", piece);
    const std::string_view number = line.substr(tab + 1);
    float score = 0;
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), score);
    expect(error == std::errc() && stop == number.data() + number.size() && std::isfinite(score), "a finite number",
           number);
    result.add(std::move(piece), score);
  }
  tensor::check(result.size() >= first_piece, "{}: expected at least {} lines, found {}", origin, int(first_piece),
                result.size());
  result.finish();
  return result;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  const std::string normal = prepare(text);
  if (normal.empty()) return {};
  const std::string line = std::string(space) + replace(normal, " ", space);
  tensor::check(line.size() < size_t(INT32_MAX), "tokenizer: a text of {} bytes is too long", line.size());

  // best[e]: the best segmentation of the first e bytes: its score, its last piece and where that begins. Scores are
  // kept in f32; a later candidate wins only if it is better, a piece before its total is rounded, an unknown character
  // after: so ties fall as they do in SentencePiece.
  struct Best {
    float score = 0;
    int32_t begin = -1, id = -1;
  };
  std::vector<Best> best(line.size() + 1);
  const auto offer = [&](size_t begin, size_t end, double total, int32_t id) {
    if (best[end].begin < 0 || total > double(best[end].score)) best[end] = {float(total), int32_t(begin), id};
  };
  for (size_t begin = 0; begin < line.size();) {
    const size_t next = begin + size_t(first_character(std::string_view(line).substr(begin)).bytes);
    bool single = false;
    int32_t node = 0;
    for (size_t end = begin; end < line.size() && (node = tree_.step(node, uint8_t(line[end]))) >= 0;) {
      ++end;
      if (const int32_t id = tree_.piece(node); id >= 0) {
        offer(begin, end, double(scores_[size_t(id)]) + double(best[begin].score), id);
        single = single || end == next;
      }
    }
    if (!single) offer(begin, next, double(unknown_score_ + best[begin].score), unk);
    begin = next;
  }

  std::vector<int32_t> ids;
  for (size_t end = line.size(); end > 0; end = size_t(best[end].begin)) {
    if (best[end].id != unk) {
      ids.push_back(best[end].id);
    } else {
      for (size_t i = end; i-- > size_t(best[end].begin);) ids.push_back(first_byte + uint8_t(line[i]));
    }
  }
  std::reverse(ids.begin(), ids.end());
  return ids;
}

std::vector<int32_t> Tokenizer::encode_query(std::string_view text, int64_t max_tokens, bool* cut) const {
  tensor::check(max_tokens >= 1, "tokenizer: expected room for at least 1 token, found {}", max_tokens);
  std::vector<int32_t> ids = encode(text);
  const bool longer = int64_t(ids.size()) > max_tokens - 1;
  if (longer) ids.resize(size_t(max_tokens - 1));
  if (cut) *cut = longer;
  ids.push_back(eos);
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  std::string bytes;
  for (const int32_t id : ids) {
    tensor::check(id >= 0 && id < size(), "tokenizer: expected ids below {}, found {}", size(), id);
    if (id == pad || id == eos) continue;
    if (id == unk)
      bytes += replacement;
    else if (id < first_piece)
      bytes += char(id - first_byte);
    else
      bytes += pieces_[size_t(id)];
  }
  bytes = replace(bytes, space, " ");  // only now: a space may be spelled in bytes as well
  std::string result;
  for (std::string_view rest = bytes; !rest.empty();) {
    const auto [code, size] = first_character(rest);
    result += code < 0 ? replacement : rest.substr(0, size_t(size));
    rest.remove_prefix(size_t(size));
  }
  return result.starts_with(' ') ? result.substr(1) : result;
}

}  // namespace ace
