#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ace {

/// Recall@{1, 5, 10} and MRR@10 as fractions, over `queries` queries (paper section 4.3).
struct Measures {
  double recall_1 = 0, recall_5 = 0, recall_10 = 0, mrr_10 = 0;
  int64_t queries = 0;
};

/// Of one query: rank (from 1) of the first relevant item in `ranked`, 0 when there is none. In `ranked` an item of −1
/// is an identifier that no item has: it keeps its rank and is a miss.
int64_t first_relevant(std::span<const int32_t> ranked, std::span<const int32_t> relevant);
/// Averages over the first ranks of all queries (0 = not found); all zero for no queries.
Measures measure(std::span<const int64_t> first_ranks);
/// What drawing items at random without replacement from a pool of `pool` would reach with one relevant item a query:
///   E[recall@k] = min(k, pool) / pool,   E[MRR@10] = (Σ_{r ≤ min(10, pool)} 1/r) / pool
Measures chance(int64_t pool, int64_t queries);

}  // namespace ace
