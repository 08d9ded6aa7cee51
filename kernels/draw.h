#pragma once
#include <cstdint>

namespace kernels {

/// Counters are drawn in groups of so many.
inline constexpr int64_t draw_group = 32;

/// Philox (philox.h) on the CPU for a run of counters (low, high), (low + 1, high), …: their 128 bits each, as eight
/// halves of words in the order of the words, lower half first. `groups` of draw_group counters; the lower words of
/// `low` must not overflow within them.
void draw(uint16_t* halves, uint64_t key, uint64_t low, uint64_t high, int64_t groups);

}  // namespace kernels
