#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tensor {

/// Random numbers from Philox by position: number i of stream s under a seed is a function of the three, the same on
/// every machine. A Random is just those three integers, so it is copied freely and a checkpoint that stores them
/// resumes where it stood. Streams of one seed are independent; give each purpose its own.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0, uint64_t position = 0)
      : seed_(seed), stream_(stream), position_(position) {}
  uint64_t seed() const { return seed_; }
  uint64_t stream() const { return stream_; }
  /// How many 32-bit words have been drawn.
  uint64_t position() const { return position_; }

  uint32_t uint32();
  uint64_t uint64();
  /// In [0, 1), a multiple of 2^−53.
  double uniform();
  /// In 0 … n − 1, each equally likely (no modulo bias); n ≥ 1.
  int64_t below(int64_t n);
  /// From the standard normal distribution.
  double normal();
  template <class T>
  void shuffle(std::span<T> values) {
    for (int64_t i = int64_t(values.size()) - 1; i > 0; --i) std::swap(values[size_t(i)], values[size_t(below(i + 1))]);
  }
  /// 0 … n − 1 in random order.
  std::vector<int64_t> permutation(int64_t n);

  bool operator==(const Random&) const = default;

 private:
  uint64_t seed_, stream_, position_;
};

}  // namespace tensor
