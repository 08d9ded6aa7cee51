#include <algorithm>
#include <numeric>

#include "ace/identifiers.h"
#include "ace/kmeans.h"
#include "tensor/random.h"

namespace ace {
namespace {

using tensor::DType;

constexpr int64_t lloyd_iterations = 20;
constexpr int64_t lloyd_items = 8192;   ///< more are clustered by mini-batches
constexpr size_t clustered_depth = 16;  ///< below that, clusters are cut by index, so that no data make the tree deep

struct Node {
  std::vector<int32_t> items, path;
};

std::vector<int32_t> cluster_labels(const Rows& x, Settings::KMeans settings, uint64_t seed) {
  settings.clusters = std::min(settings.clusters, x.count());
  if (x.count() > lloyd_items) return fit_kmeans(x, settings, seed).labels;
  return fit_lloyd(x.block(0, x.count()), settings.clusters, lloyd_iterations, seed).labels;
}

/// Runs of equal length, in item order: as many as leaves are needed, at most `clusters`.
std::vector<int32_t> labels_by_index(int64_t items, int64_t clusters, int64_t leaf) {
  const int64_t runs = std::min(clusters, (items + leaf - 1) / leaf);
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < items; ++i) labels.push_back(int32_t(i * runs / items));
  return labels;
}

bool all_equal(const std::vector<int32_t>& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](int32_t label) { return label == labels[0]; });
}

/// Cuts a node that is too large for a leaf into its children. Items that clustering cannot tell apart are cut by
/// index.
std::vector<Node> children_of(const Node& node, const Rows& x, const Settings::KMeans& settings, int64_t leaf,
                              uint64_t seed) {
  const int64_t count = int64_t(node.items.size()), clusters = settings.clusters;
  std::vector<int32_t> labels;
  if (node.path.size() < clustered_depth) labels = cluster_labels(x.only(node.items), settings, seed);
  if (labels.empty() || all_equal(labels)) labels = labels_by_index(count, clusters, leaf);
  std::vector<Node> children(static_cast<size_t>(clusters));
  for (size_t i = 0; i < labels.size(); ++i) children[size_t(labels[i])].items.push_back(node.items[i]);
  for (size_t token = 0; token < children.size(); ++token) {
    children[token].path = node.path;
    children[token].path.push_back(int32_t(token));
  }
  std::erase_if(children, [](const Node& child) { return child.items.empty(); });
  return children;
}

}  // namespace

// Rows stay distinct under padding with 0. A row is the path to its leaf, the counter within the leaf, zeros. Items of
// one leaf differ in the counter, which stands at one position for all of them. Of two leaves neither path begins the
// other, because a leaf has no children; so their rows differ at a position that both paths reach, before any counter
// or padding. Hence a counter or a 0 of padding is never mistaken for a step of a longer path.
Identifiers hierarchical_identifiers(const Rows& x, const Settings::KMeans& settings, int64_t leaf, uint64_t seed) {
  const int64_t clusters = settings.clusters;
  tensor::check(x.count() > 0, "identifiers: no items");
  tensor::check(clusters >= 2 && leaf >= 1,
                "identifiers: expected a tree of at least 2 clusters and leaves of at least "
                "1 item, found {} and {}",
                clusters, leaf);
  std::vector<Node> open(1), leaves;
  open[0].items.resize(size_t(x.count()));
  std::iota(open[0].items.begin(), open[0].items.end(), 0);
  tensor::Random random(seed);
  std::vector<int64_t> vocabulary;  // of the steps and counters that stand at a position
  while (!open.empty()) {
    Node node = std::move(open.back());
    open.pop_back();
    const bool is_leaf = int64_t(node.items.size()) <= leaf;
    vocabulary.resize(std::max(vocabulary.size(), node.path.size() + 1));
    int64_t& size = vocabulary[node.path.size()];
    size = std::max(size, is_leaf ? leaf : clusters);
    if (is_leaf) {
      leaves.push_back(std::move(node));
      continue;
    }
    for (Node& child : children_of(node, x, settings, leaf, random.uint64())) open.push_back(std::move(child));
  }

  const int64_t positions = int64_t(vocabulary.size());
  Identifiers result{tensor::zeros({x.count(), positions}, DType::i32), vocabulary};
  for (const Node& node : leaves) {
    int32_t counter = 0;
    for (int32_t item : node.items) {
      int32_t* row = result.tokens.data<int32_t>() + item * positions;
      *std::copy(node.path.begin(), node.path.end(), row) = counter++;
    }
  }
  return result;
}

}  // namespace ace
