#include "kernels/radix_sort.h"

#include <algorithm>

namespace kernels {
namespace {

constexpr int widest = 11;  ///< bits a pass: more buckets than that and each write misses the cache
constexpr int64_t most_blocks = 16, block_words = 1 << 15;

int64_t blocks_of(int64_t n) { return std::clamp<int64_t>(n / block_words, 1, most_blocks); }

/// One pass, a stable counting sort by `bits` bits. Blocks of words are counted and moved independently: where a
/// block's words of one digit go follows from the counts of smaller digits, and of that digit in earlier blocks.
void sort_pass(Cpu cpu, const uint64_t* from, uint64_t* to, uint64_t* counts, int64_t n, int shift, int bits) {
  const int64_t blocks = blocks_of(n), digits = int64_t(1) << bits;
  const uint64_t mask = uint64_t(digits - 1);
  const auto each_block = [&](const auto& body) {
    cpu.parallel(blocks, 2 * n / blocks + digits, [&](int64_t first, int64_t last) {
      for (int64_t b = first; b < last; ++b) body(counts + b * digits, n * b / blocks, n * (b + 1) / blocks);
    });
  };
  each_block([=](uint64_t* count, int64_t begin, int64_t end) {
    std::fill_n(count, digits, 0);
    for (int64_t i = begin; i < end; ++i) ++count[from[i] >> shift & mask];
  });
  uint64_t place = 0;
  for (int64_t digit = 0; digit < digits; ++digit) {
    for (int64_t b = 0; b < blocks; ++b) {
      const uint64_t count = counts[b * digits + digit];
      counts[b * digits + digit] = place;
      place += count;
    }
  }
  each_block([=](uint64_t* next, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[next[from[i] >> shift & mask]++] = from[i];
  });
}

}  // namespace

int64_t radix_sort_scratch(int64_t n) { return n + (blocks_of(n) << widest); }

uint64_t* radix_sort(Cpu cpu, uint64_t* words, uint64_t* spare, int64_t n, int low, int high) {
  uint64_t *from = words, *to = spare, *counts = spare + n;
  for (int passes = (high - low + widest - 1) / widest; passes > 0; --passes) {
    const int bits = (high - low + passes - 1) / passes;
    sort_pass(cpu, from, to, counts, n, low, bits);
    std::swap(from, to);
    low += bits;
  }
  return from;
}

}  // namespace kernels
