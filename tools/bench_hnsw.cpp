#include "tools/bench_hnsw.h"

#include <hnswlib/hnswlib.h>

#include <algorithm>

#include "kernels/nearest.h"

namespace tools::bench {
namespace {

float squared_distance(const void* a, const void* b, const void* width) {
  float result = 0;
  kernels::squared_distances(kernels::Cpu(), static_cast<const float*>(a), static_cast<const float*>(b), &result, 1, 1,
                             *static_cast<const int64_t*>(width));
  return result;
}

/// Between rows of length 1 the order by ‖a − b‖² = 2 − 2 a·b is that by a·b.
class UnitRows : public hnswlib::SpaceInterface<float> {
 public:
  explicit UnitRows(int64_t width) : width_(width) {}
  size_t get_data_size() override { return size_t(width_) * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return squared_distance; }
  void* get_dist_func_param() override { return &width_; }

 private:
  int64_t width_;
};

}  // namespace

struct Hnsw::Index {
  Index(int64_t width, int64_t capacity) : space(width), graph(&space, size_t(capacity), 16, 100) { graph.setEf(64); }
  UnitRows space;
  hnswlib::HierarchicalNSW<float> graph;
  int64_t size = 0;
};

Hnsw::Hnsw(int64_t width, int64_t capacity) : index_(std::make_unique<Index>(width, capacity)) {}
Hnsw::~Hnsw() = default;
int64_t Hnsw::size() const { return index_->size; }

void Hnsw::add_until(const tensor::Tensor& items, int64_t end) {
  for (int64_t& row = index_->size; row < end; ++row) {
    index_->graph.addPoint(items.data<float>() + row * items.cols(), size_t(row));
  }
}

std::vector<std::vector<ace::Match>> Hnsw::best_items(const tensor::Tensor& queries, int64_t top) const {
  std::vector<std::vector<ace::Match>> result(size_t(queries.rows()));
  kernels::Cpu().parallel(queries.rows(), 1000 * queries.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      auto found = index_->graph.searchKnn(queries.data<float>() + q * queries.cols(), size_t(top));
      for (; !found.empty(); found.pop()) {  // the farthest first
        result[size_t(q)].push_back({1 - found.top().first / 2, int32_t(found.top().second)});
      }
      std::reverse(result[size_t(q)].begin(), result[size_t(q)].end());
    }
  });
  return result;
}

}  // namespace tools::bench
