#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ace {

/// The words BM25 counts: maximal runs of a–z, 0–9, apostrophes and non-ASCII letters and marks of the normalised text.
std::vector<std::string> words(std::string_view text);

/// Okapi BM25 over one document per item (all its training captions joined): the plain baseline beside ACE's figures.
///   score(q, d) = Σ_{t ∈ q} idf(t) · f(t, d) (k1 + 1) / (f(t, d) + k1 (1 − b + b |d| / mean|d|))
///   idf(t) = ln(1 + (N − n(t) + ½) / (n(t) + ½))
/// A word that a query repeats counts each time. k1 = 1.2 and b = 0.75 are the usual values, tuned on nothing.
class Bm25 {
 public:
  explicit Bm25(std::span<const std::string> documents, double k1 = 1.2, double b = 0.75);
  /// The best `top` documents for a query, best first; ties by smaller index; documents without a common word are left
  /// out. `pool` (ascending indices) restricts the ranking, not the statistics; empty means all.
  std::vector<int32_t> rank(const std::string& query, int64_t top, std::span<const int32_t> pool = {}) const;

 private:
  struct Posting {
    int32_t document;
    float weight;
  };
  std::unordered_map<std::string, std::vector<Posting>> postings_;
  int64_t documents_ = 0;
};

}  // namespace ace
