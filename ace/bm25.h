#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace ace {

/// Okapi BM25 over one document per item (all its training captions joined): the plain baseline beside ACE's figures.
///   score(q, d) = Σ_{t ∈ q} idf(t) · f(t, d) (k1 + 1) / (f(t, d) + k1 (1 − b + b |d| / mean|d|))
///   idf(t) = ln(1 + (N − n(t) + ½) / (n(t) + ½))
class Bm25 {
 public:
  explicit Bm25(std::span<const std::string> documents, double k1 = 1.5, double b = 0.75);
  /// The best `top` documents for a query, best first; ties by smaller index; documents without a common term follow
  /// none. `pool` (ascending indices) restricts the ranking, not the statistics; empty means all.
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
