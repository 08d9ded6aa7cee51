#include "ace/trec.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ace/text.h"
#include "tensor/error.h"

namespace ace {
namespace {

bool is_hexadecimal(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

std::string trec_id(std::string_view id) {
  tensor::check(!id.empty(), "trec: expected an id, found nothing");
  std::string result;
  while (!id.empty()) {
    const auto bytes = size_t(first_character(id).bytes);
    const std::string_view character = id.substr(0, bytes);
    const bool looks_encoded = id.size() > 2 && id[0] == '%' && is_hexadecimal(id[1]) && is_hexadecimal(id[2]);
    if (looks_encoded || single_spaced(character).empty()) {
      for (const char c : character) result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      result += character;
    }
    id.remove_prefix(bytes);
  }
  return result;
}

std::string trec_lines(std::string_view query, std::span<const TrecResult> results, std::string_view tag) {
  const std::string name = trec_id(query), word = trec_id(tag);
  std::string lines;
  float above = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const double score = results[i].score;
    tensor::check(std::isfinite(score), "trec: query {}: expected a finite score at rank {}, found {}", quote(query),
                  i + 1, score);
    tensor::check(i == 0 || score <= results[i - 1].score,
                  "trec: query {}: the score at rank {} is above the one before it", quote(query), i + 1);
    float printed = float(score);
    if (i > 0) printed = std::min(printed, std::nextafter(above, -std::numeric_limits<float>::infinity()));
    tensor::check(std::isfinite(printed), "trec: query {}: the score at rank {} is no f32: {}", quote(query), i + 1,
                  score);
    lines += fmt::format("{} Q0 {} {} {} {}\n", name, trec_id(results[i].item), i + 1, printed, word);
    above = printed;
  }
  return lines;
}

}  // namespace ace
