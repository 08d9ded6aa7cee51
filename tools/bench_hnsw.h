#pragma once
#include <memory>

#include "ace/dual_tower.h"

namespace tools::bench {

/// Approximate nearest neighbours by a graph (Malkov and Yashunin 2018), from hnswlib, with distances by our kernel, so
/// that it has the processor's vectors too. M = 16 links, 100 candidates while it is built, 64 in a search.
class Hnsw {
 public:
  Hnsw(int64_t width, int64_t capacity);
  ~Hnsw();
  int64_t size() const;
  /// Adds rows size() … end − 1 of items f32 [N, width]; on one thread, because the graph depends on their order.
  void add_until(const tensor::Tensor& items, int64_t end);
  /// As ace::best_items, for rows of length 1; some of what it should find may be missing.
  std::vector<std::vector<ace::Match>> best_items(const tensor::Tensor& queries, int64_t top) const;

 private:
  struct Index;
  std::unique_ptr<Index> index_;
};

}  // namespace tools::bench
