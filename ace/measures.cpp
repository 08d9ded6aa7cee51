#include "ace/measures.h"

#include <algorithm>

#include "tensor/error.h"

namespace ace {

int64_t first_relevant(std::span<const int32_t> ranked, std::span<const int32_t> relevant) {
  for (size_t i = 0; i < ranked.size(); ++i) {
    if (ranked[i] >= 0 && std::find(relevant.begin(), relevant.end(), ranked[i]) != relevant.end()) {
      return int64_t(i) + 1;
    }
  }
  return 0;
}

Measures measure(std::span<const int64_t> first_ranks) {
  Measures result;
  result.queries = int64_t(first_ranks.size());
  if (first_ranks.empty()) return result;
  int64_t within_1 = 0, within_5 = 0, within_10 = 0;
  double reciprocal = 0;
  for (const int64_t rank : first_ranks) {
    tensor::check(rank >= 0, "measures: expected ranks from 1 (0 = not found), found {}", rank);
    if (rank == 0 || rank > 10) continue;
    within_1 += rank <= 1;
    within_5 += rank <= 5;
    within_10 += 1;
    reciprocal += 1.0 / double(rank);
  }
  const double queries = double(result.queries);
  result.recall_1 = double(within_1) / queries;
  result.recall_5 = double(within_5) / queries;
  result.recall_10 = double(within_10) / queries;
  result.mrr_10 = reciprocal / queries;
  return result;
}

Measures chance(int64_t pool, int64_t queries) {
  tensor::check(pool >= 0 && queries >= 0, "chance: expected sizes from 0, found pool {}, queries {}", pool, queries);
  Measures result;
  result.queries = queries;
  if (pool == 0) return result;
  const auto recall = [&](int64_t k) { return double(std::min(k, pool)) / double(pool); };
  result.recall_1 = recall(1);
  result.recall_5 = recall(5);
  result.recall_10 = recall(10);
  for (int64_t rank = 1; rank <= std::min<int64_t>(10, pool); ++rank) {
    result.mrr_10 += 1.0 / (double(rank) * double(pool));
  }
  return result;
}

}  // namespace ace
