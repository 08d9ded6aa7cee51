#include "ace/lexicographic.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "kernels/radix_sort.h"
#include "tensor/allocator.h"

namespace ace {
namespace {

/// How many bits the largest token of each position takes.
std::vector<int> widths_of(const int32_t* table, int64_t rows, int64_t stride, int64_t positions) {
  std::vector<std::atomic<uint32_t>> all(static_cast<size_t>(positions));
  kernels::Cpu().parallel(rows, positions, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> seen(static_cast<size_t>(positions));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < positions; ++j) seen[size_t(j)] |= uint32_t(table[i * stride + j]);
    }
    for (int64_t j = 0; j < positions; ++j) all[size_t(j)] |= seen[size_t(j)];
  });
  std::vector<int> widths;
  for (const auto& bits : all) widths.push_back(std::bit_width(bits.load()));
  return widths;
}

}  // namespace

// Sorted by the last positions first, as many at a time as a word holds: each sort keeps the order of the one before.
LexicographicOrder::LexicographicOrder(const tensor::Tensor& tokens, int64_t positions, std::span<const int32_t> items)
    : table_(tokens.data<int32_t>()),
      positions_(positions),
      stride_(tokens.size(1)),
      size_(items.empty() ? tokens.size(0) : int64_t(items.size())) {
  const kernels::Cpu cpu;
  const std::vector<int> widths = widths_of(table_, tokens.size(0), stride_, positions);
  const auto room = [words = size_t(kernels::radix_sort_scratch(size_))] {
    auto block = std::make_unique_for_overwrite<uint64_t[]>(words);
    tensor::prefer_large_pages(block.get(), 8 * words);
    return block;
  };
  words_ = room();
  auto spare = room();
  int64_t begin = positions;
  int width = 0;
  do {
    held_ = begin;
    for (width = 0; begin > 0 && width + widths[size_t(begin - 1)] <= 32; --begin) width += widths[size_t(begin - 1)];
    cpu.parallel(size_, 4 * (held_ - begin), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const bool sorted = held_ < positions;
        const uint32_t number = sorted ? uint32_t(item(i)) : uint32_t(items.empty() ? i : items[size_t(i)]);
        uint64_t key = 0;
        for (int64_t j = begin; j < held_; ++j) {
          key = key << widths[size_t(j)] | uint32_t(table_[int64_t(number) * stride_ + j]);
        }
        words_[size_t(i)] = key << 32 | number;
      }
    });
    if (kernels::radix_sort(cpu, words_.get(), spare.get(), size_, 32, 32 + width) == spare.get()) words_.swap(spare);
  } while (begin > 0);
  for (int64_t j = 0, low = width; j < held_; ++j) {
    const int bits = widths[size_t(j)];
    low -= bits;
    fields_.push_back({int(32 + low), (uint32_t(1) << bits) - 1});
    std::fill_n(position_of_bit_.begin() + low, bits, uint16_t(j));
  }
}

}  // namespace ace
