#include "ace/identifiers.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "ace/lexicographic.h"

namespace ace {

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

Identifiers add_unique(const tensor::Tensor& prefixes, const std::vector<int64_t>& vocabulary, int64_t unique) {
  tensor::check(unique >= 2 && std::has_single_bit(uint64_t(unique)),
                "identifiers: expected identifiers.unique to be a power of two from 2, found {}", unique);
  check_tokens(prefixes, vocabulary);
  const int64_t items = prefixes.size(0), length = prefixes.size(1);
  const int32_t* prefix = prefixes.data<int32_t>();

  // In lexicographic order equal prefixes stand together, and within them items ascend: so the counter counts.
  std::vector<int64_t> counter(static_cast<size_t>(items));
  int64_t largest = 0;
  const LexicographicOrder order(prefixes, length);
  for (int64_t i = 1; i < order.size(); ++i) {
    if (order.shared(i) < length) continue;
    counter[size_t(order.item(i))] = counter[size_t(order.item(i - 1))] + 1;
    largest = std::max(largest, counter[size_t(order.item(i))]);
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
