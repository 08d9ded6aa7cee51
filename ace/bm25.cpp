#include "ace/bm25.h"

#include <utf8proc.h>

#include <algorithm>
#include <cmath>

#include "ace/text.h"
#include "tensor/error.h"

namespace ace {
namespace {

bool is_word_character(int32_t code) {
  if (code < 0x80) return (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9') || code == '\'';
  const utf8proc_category_t category = utf8proc_category(code);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ME;  // letters L*, then marks M*
}

}  // namespace

std::vector<std::string> words(std::string_view text) {
  const std::string normal = normalize(text);
  std::vector<std::string> result;
  bool inside = false;
  for (std::string_view rest = normal; !rest.empty();) {
    const auto [code, bytes] = first_character(rest);
    const bool part = is_word_character(code);
    if (part && !inside) result.emplace_back();
    if (part) result.back().append(rest.substr(0, size_t(bytes)));
    inside = part;
    rest.remove_prefix(size_t(bytes));
  }
  return result;
}

Bm25::Bm25(std::span<const std::string> documents, double k1, double b) : documents_(int64_t(documents.size())) {
  tensor::check(k1 >= 0 && b >= 0 && b <= 1, "bm25: expected k1 ≥ 0 and b in [0, 1], found {} and {}", k1, b);
  // First the postings hold term frequencies f(t, d), then weights.
  std::vector<double> lengths;
  double total = 0;
  for (int32_t document = 0; document < documents_; ++document) {
    const std::vector<std::string> terms = words(documents[size_t(document)]);
    for (const std::string& term : terms) {
      std::vector<Posting>& list = postings_[term];
      if (list.empty() || list.back().document != document) list.push_back({document, 0});
      list.back().weight += 1;
    }
    lengths.push_back(double(terms.size()));
    total += lengths.back();
  }
  const double mean = total > 0 ? total / double(documents_) : 1;
  for (auto& [term, list] : postings_) {
    const double holders = double(list.size());
    const double idf = std::log(1 + (double(documents_) - holders + 0.5) / (holders + 0.5));
    for (Posting& posting : list) {
      const double frequency = posting.weight;
      const double length = 1 - b + b * lengths[size_t(posting.document)] / mean;
      posting.weight = float(idf * frequency * (k1 + 1) / (frequency + k1 * length));
    }
  }
}

std::vector<int32_t> Bm25::rank(const std::string& query, int64_t top, std::span<const int32_t> pool) const {
  std::vector<double> scores(size_t(documents_), 0.0);
  for (const std::string& term : words(query)) {
    const auto found = postings_.find(term);
    if (found == postings_.end()) continue;
    for (const Posting& posting : found->second) scores[size_t(posting.document)] += posting.weight;
  }
  std::vector<int32_t> candidates;
  if (pool.empty()) {
    for (int32_t document = 0; document < documents_; ++document) {
      if (scores[size_t(document)] > 0) candidates.push_back(document);
    }
  } else {
    for (const int32_t document : pool) {
      tensor::check(document >= 0 && document < documents_, "bm25: document {} of {} does not exist", document,
                    documents_);
      if (scores[size_t(document)] > 0) candidates.push_back(document);
    }
  }
  const auto kept = size_t(std::clamp<int64_t>(top, 0, int64_t(candidates.size())));
  std::partial_sort(candidates.begin(), candidates.begin() + ptrdiff_t(kept), candidates.end(),
                    [&](int32_t x, int32_t y) {
                      const double left = scores[size_t(x)], right = scores[size_t(y)];
                      return left != right ? left > right : x < y;
                    });
  candidates.resize(kept);
  return candidates;
}

}  // namespace ace
