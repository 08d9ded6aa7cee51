#include "tensor/random.h"

#include <cmath>
#include <numeric>

#include "kernels/philox.h"
#include "tensor/error.h"

namespace tensor {
namespace {

// The library's logarithm and sine differ in the last bit between versions and processors; these use only operations
// that IEEE 754 rounds exactly.

/// ln x for x in (0, 1]: x = 2^e m with m near 1, ln m = 2 artanh((m − 1) / (m + 1)) by its series.
double logarithm(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // in [½, 1)
  if (m < 0.70710678118654752) m *= 2, --exponent;
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return exponent * 0.69314718055994531 + 2 * s * sum;
}

/// cos 2πu for u in [0, 1): the nearest quarter turn, then the cosine or sine of what remains, at most π/4.
double cosine_of_turn(double u) {
  const int quarter = int(u * 4 + 0.5);
  const double x = (u - quarter * 0.25) * 6.2831853071795865, square = x * x;
  double sum = 0;
  if (quarter % 2 == 0) {
    for (int k = 16; k >= 2; k -= 2) sum = (1 - sum) * square / (k * (k - 1));  // 1 − cos x
    return quarter == 2 ? sum - 1 : 1 - sum;
  }
  for (int k = 17; k >= 3; k -= 2) sum = (1 - sum) * square / (k * (k - 1));  // 1 − (sin x) / x
  return quarter == 1 ? x * (sum - 1) : x * (1 - sum);
}

}  // namespace

uint32_t Random::uint32() {
  const uint64_t position = position_++;
  return kernels::philox(seed_, position / 4, stream_).v[position % 4];
}

uint64_t Random::uint64() {
  const uint64_t low = uint32();
  return uint64_t(uint32()) << 32 | low;
}

double Random::uniform() { return double(uint64() >> 11) * 0x1p-53; }

// Lemire's method: the upper word of a 64-bit draw times n, drawn again in the few cases that would make some results
// likelier.
int64_t Random::below(int64_t n) {
  check(n >= 1, "random: expected a range of at least one number, found {}", n);
  const uint64_t range = uint64_t(n), excess = -range % range;  // 2^64 mod n
  for (;;) {
    const unsigned __int128 product = static_cast<unsigned __int128>(uint64()) * range;
    if (uint64_t(product) >= excess) return int64_t(uint64_t(product >> 64));
  }
}

// Box–Muller: the radius √(−2 ln u) at a random angle, of which the cosine is used.
double Random::normal() {
  const double radius = std::sqrt(-2 * logarithm(1 - uniform()));
  return radius * cosine_of_turn(uniform());
}

std::vector<int64_t> Random::permutation(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t(0));
  shuffle(std::span<int64_t>(order));
  return order;
}

}  // namespace tensor
