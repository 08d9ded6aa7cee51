#include "ace/identifiers.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>

#include "kernels/radix_sort.h"

namespace ace {
namespace {

/// The bits of all tokens of each position, or'ed: how wide they are.
std::vector<uint32_t> used_bits(const int32_t* table, int64_t rows, int64_t stride, int64_t positions) {
  std::vector<std::atomic<uint32_t>> all(static_cast<size_t>(positions));
  kernels::Cpu().parallel(rows, positions, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> seen(static_cast<size_t>(positions));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < positions; ++j) seen[size_t(j)] |= uint32_t(table[i * stride + j]);
    }
    for (int64_t j = 0; j < positions; ++j) all[size_t(j)] |= seen[size_t(j)];
  });
  return {all.begin(), all.end()};
}

bool same_prefix(const int32_t* a, const int32_t* b, int64_t positions) { return std::equal(a, a + positions, b); }

}  // namespace

void check_tokens(const tensor::Tensor& tokens, const std::vector<int64_t>& vocabulary, const std::string& origin) {
  tensor::check(tokens.rank() == 2 && tokens.dtype() == tensor::DType::i32,
                "{}: expected int32 [items, positions], found {} {}", origin, name_of(tokens.dtype()), tokens.shape());
  const int64_t items = tokens.size(0), positions = tokens.size(1);
  tensor::check(int64_t(vocabulary.size()) == positions,
                "{}: expected a vocabulary size for each of {} positions, found {}", origin, positions,
                vocabulary.size());
  for (int64_t size : vocabulary) {
    tensor::check(size >= 1 && size <= int64_t(1) << 30, "{}: a vocabulary of {} tokens", origin, size);
  }
  const int32_t* const token = tokens.data<int32_t>();
  const auto fits = [&](int64_t i, int64_t j) {
    return uint32_t(token[i * positions + j]) < uint32_t(vocabulary[size_t(j)]);
  };
  std::atomic<bool> all_fit = true;
  kernels::Cpu().parallel(items, 2 * positions, [&](int64_t begin, int64_t end) {
    bool fit = true;
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < positions; ++j) fit &= fits(i, j);
    }
    if (!fit) all_fit = false;
  });
  for (int64_t i = 0; i < items && !all_fit; ++i) {
    for (int64_t j = 0; j < positions; ++j) {
      tensor::check(fits(i, j), "{}: item {}, position {}: expected a token in 0 … {}, found {}", origin, i, j,
                    vocabulary[size_t(j)] - 1, token[i * positions + j]);
    }
  }
}

// As many positions as fit in 32 bits, last ones first, stand above the item in a word; words are sorted by them.
std::vector<int32_t> lexicographic_order(const tensor::Tensor& tokens, int64_t positions,
                                         std::span<const int32_t> items) {
  const int64_t n = items.empty() ? tokens.size(0) : int64_t(items.size()), stride = tokens.size(1);
  const int32_t* const table = tokens.data<int32_t>();
  const kernels::Cpu cpu;
  const std::vector<uint32_t> bits = used_bits(table, tokens.size(0), stride, positions);
  const auto words = std::make_unique_for_overwrite<uint64_t[]>(size_t(n));
  const auto spare = std::make_unique_for_overwrite<uint64_t[]>(size_t(kernels::radix_sort_scratch(n)));
  const uint64_t* from = words.get();  // the order so far, in the lower halves
  bool sorted = false;
  const auto item_at = [&](int64_t i) {
    return sorted ? uint32_t(from[i]) : items.empty() ? uint32_t(i) : uint32_t(items[size_t(i)]);
  };
  for (int64_t end = positions, begin; end > 0; end = begin) {
    int width = 0;
    for (begin = end; begin > 0 && width + std::bit_width(bits[size_t(begin - 1)]) <= 32; --begin) {
      width += std::bit_width(bits[size_t(begin - 1)]);
    }
    cpu.parallel(n, 4 * (end - begin), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const uint32_t item = item_at(i);
        uint64_t key = 0;
        for (int64_t j = begin; j < end; ++j) {
          key = key << std::bit_width(bits[size_t(j)]) | uint32_t(table[item * stride + j]);
        }
        words[size_t(i)] = key << 32 | item;
      }
    });
    from = kernels::radix_sort(cpu, words.get(), spare.get(), n, 32, 32 + width);
    sorted = true;
  }
  std::vector<int32_t> order(static_cast<size_t>(n));
  cpu.parallel(n, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) order[size_t(i)] = int32_t(item_at(i));
  });
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
