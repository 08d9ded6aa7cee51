#include <algorithm>
#include <cmath>

#include "ace/identifiers.h"
#include "ace/lexicographic.h"

namespace ace {
namespace {

constexpr double acceptable = 0.05;

CodeUse code_use(const int32_t* tokens, int64_t items, int64_t stride, int64_t entries) {
  std::vector<int64_t> counts(static_cast<size_t>(entries));
  for (int64_t i = 0; i < items; ++i) ++counts[size_t(tokens[i * stride])];
  CodeUse use;
  use.entries = entries;
  double entropy = 0;
  for (int64_t count : counts) {
    if (count == 0) continue;
    const double share = double(count) / double(items);
    entropy -= share * std::log(share);
    ++use.used;
  }
  use.perplexity = std::exp(entropy);
  use.entropy_ratio = entries > 1 ? entropy / std::log(double(entries)) : 1;
  return use;
}

/// Share of items that share their prefix with another when all prefixes are equally likely.
double even_collisions(int64_t items, double capacity) {
  return capacity <= 1 ? (items > 1 ? 1 : 0) : -std::expm1(double(items - 1) * std::log1p(-1 / capacity));
}

/// A grid of K coarse tokens (1: none) and M codebooks of C entries.
struct Grid {
  int64_t coarse = 1, entries = 1, codebooks = 0;
  double capacity() const { return double(coarse) * std::pow(double(entries), double(codebooks)); }
  bool suits(int64_t items) const { return even_collisions(items, capacity()) <= acceptable; }
};

/// The same grid with more codebooks, or with larger ones.
std::string ways_out(const Grid& grid, int64_t items) {
  const auto describe = [&](const Grid& choice) {
    const std::string fine = fmt::format("rqvae.entries = {}, rqvae.codebooks = {}", choice.entries, choice.codebooks);
    return grid.coarse > 1 ? fmt::format("kmeans.clusters = {}, {}", choice.coarse, fine) : fine;
  };
  Grid longer = grid, larger = grid;
  while (!longer.suits(items)) ++longer.codebooks;
  if (grid.codebooks == 0) return "set " + describe(longer);
  while (!larger.suits(items)) {
    // the smaller of the two grows first, so that neither dwarfs the other
    (grid.coarse > 1 && larger.coarse <= larger.entries ? larger.coarse : larger.entries) *= 2;
  }
  return fmt::format("set {}, or {}", describe(longer), describe(larger));
}

std::string advice_for(const Identifiers& identifiers, int64_t prefix, bool coarse, double capacity) {
  const int64_t items = identifiers.items();
  const double shared = even_collisions(items, capacity);
  if (shared <= acceptable) return "";
  Grid grid;
  if (coarse && prefix > 0) grid.coarse = std::max<int64_t>(identifiers.vocabulary[0], 2);
  grid.codebooks = std::max<int64_t>(prefix - (coarse ? 1 : 0), 0);
  const auto fine = identifiers.vocabulary.begin() + (prefix - grid.codebooks);
  grid.entries = grid.codebooks > 0 ? *std::max_element(fine, fine + grid.codebooks) : grid.coarse;
  grid.entries = std::max<int64_t>(grid.entries, 2);
  return fmt::format(
      "{:.0f} prefixes are too few for {} items: {:.0f} % of them would share one even if all were used evenly; {}",
      capacity, items, std::ceil(100 * shared), ways_out(grid, items));
}

}  // namespace

IdentifierQuality identifier_quality(const Identifiers& identifiers, int64_t prefix, bool coarse) {
  check_tokens(identifiers.tokens, identifiers.vocabulary);
  const int64_t items = identifiers.items(), stride = identifiers.positions();
  tensor::check(prefix >= 0 && prefix <= stride, "identifiers: a prefix of {} of {} positions", prefix, stride);
  IdentifierQuality quality;
  quality.items = items;
  quality.capacity = 1;
  const int32_t* tokens = identifiers.tokens.data<int32_t>();
  for (int64_t j = 0; j < prefix; ++j) {
    const int64_t entries = identifiers.vocabulary[size_t(j)];
    quality.positions.push_back(code_use(tokens + j, items, stride, entries));
    quality.capacity *= double(entries);
  }
  const LexicographicOrder order(identifiers.tokens, prefix);
  int64_t sharing = 0;
  for (int64_t begin = 0, end = 0; begin < order.size(); begin = end) {
    for (end = begin + 1; end < order.size() && order.shared(end) == prefix;) ++end;
    const int64_t bucket = end - begin;
    quality.largest_bucket = std::max(quality.largest_bucket, bucket);
    if (bucket > 1) sharing += bucket;
  }
  quality.collision_rate = items > 0 ? double(sharing) / double(items) : 0;
  quality.advice = advice_for(identifiers, prefix, coarse, quality.capacity);
  return quality;
}

}  // namespace ace
