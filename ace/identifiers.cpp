#include "ace/identifiers.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace ace {
namespace {

/// Sorts `order` by bits shift … shift + bits − 1 of one column, stably (a counting sort).
void sort_by_bits(std::vector<int32_t>& order, std::vector<int32_t>& spare, const int32_t* column, int64_t stride,
                  int shift, int bits) {
  const uint32_t mask = (1u << bits) - 1;
  const auto digit = [=](int32_t item) { return uint32_t(column[item * stride]) >> shift & mask; };
  std::vector<int32_t> start(size_t(mask) + 2);
  for (int32_t item : order) ++start[digit(item) + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  for (int32_t item : order) spare[size_t(start[digit(item)]++)] = item;
  order.swap(spare);
}

bool same_prefix(const int32_t* a, const int32_t* b, int64_t positions) { return std::equal(a, a + positions, b); }

}  // namespace

void check_tokens(const tensor::Tensor& tokens, const std::vector<int64_t>& vocabulary) {
  tensor::check(tokens.rank() == 2 && tokens.dtype() == tensor::DType::i32,
                "identifiers: expected int32 [items, positions], found {} {}", name_of(tokens.dtype()), tokens.shape());
  const int64_t positions = tokens.size(1);
  tensor::check(int64_t(vocabulary.size()) == positions,
                "identifiers: expected a vocabulary size for each of {} positions, found {}", positions,
                vocabulary.size());
  for (int64_t size : vocabulary) {
    tensor::check(size >= 1 && size <= int64_t(1) << 30, "identifiers: a vocabulary of {} tokens", size);
  }
  const int32_t* token = tokens.data<int32_t>();
  for (int64_t i = 0; i < tokens.size(0); ++i) {
    for (int64_t j = 0; j < positions; ++j, ++token) {
      tensor::check(*token >= 0 && *token < vocabulary[size_t(j)],
                    "identifiers: item {}, position {}: expected a token in 0 … {}, found {}", i, j,
                    vocabulary[size_t(j)] - 1, *token);
    }
  }
}

// Radix sort, last position first, at most 16 bits at a time.
std::vector<int32_t> lexicographic_order(const tensor::Tensor& tokens, int64_t positions,
                                         std::span<const int32_t> items) {
  std::vector<int32_t> order(items.begin(), items.end());
  if (items.empty()) {
    order.resize(size_t(tokens.size(0)));
    std::iota(order.begin(), order.end(), 0);
  }
  std::vector<int32_t> spare(order.size());
  const int32_t* first = tokens.data<int32_t>();
  const int64_t stride = tokens.size(1);
  for (int64_t position = positions - 1; position >= 0; --position) {
    uint32_t all = 0;
    for (int32_t item : order) all |= uint32_t(first[item * stride + position]);
    for (int shift = 0, width = int(std::bit_width(all)); shift < width; shift += 16) {
      sort_by_bits(order, spare, first + position, stride, shift, std::min(16, width - shift));
    }
  }
  return order;
}

Identifiers add_unique(const tensor::Tensor& prefixes, const std::vector<int64_t>& vocabulary, int64_t unique) {
  tensor::check(unique >= 2 && std::has_single_bit(uint64_t(unique)),
                "identifiers: expected identifiers.unique to be a power of two from 2, found {}", unique);
  check_tokens(prefixes, vocabulary);
  const int64_t items = prefixes.size(0), length = prefixes.size(1);
  const int32_t* prefix = prefixes.data<int32_t>();

  // In lexicographic order equal prefixes stand together, and within them items ascend: so the counter counts.
  std::vector<int64_t> counter(static_cast<size_t>(items));
  int64_t largest = 0;
  const std::vector<int32_t> order = lexicographic_order(prefixes, length);
  for (size_t i = 1; i < order.size(); ++i) {
    if (!same_prefix(prefix + order[i] * length, prefix + order[i - 1] * length, length)) continue;
    counter[size_t(order[i])] = counter[size_t(order[i - 1])] + 1;
    largest = std::max(largest, counter[size_t(order[i])]);
  }

  const int64_t base = std::min(std::max<int64_t>(int64_t(std::bit_ceil(uint64_t(largest + 1))), 4), unique);
  int64_t digits = 1;
  for (int64_t rest = largest / base; rest > 0; rest /= base) ++digits;

  Identifiers result{tensor::Tensor({items, length + digits}, tensor::DType::i32), vocabulary};
  result.vocabulary.insert(result.vocabulary.end(), size_t(digits), base);
  int32_t* row = result.tokens.data<int32_t>();
  for (int64_t i = 0; i < items; ++i, row += length + digits) {
    std::copy_n(prefix + i * length, length, row);
    int64_t rest = counter[size_t(i)];
    for (int64_t digit = digits - 1; digit >= 0; --digit, rest /= base) row[length + digit] = int32_t(rest % base);
  }
  return result;
}

}  // namespace ace
