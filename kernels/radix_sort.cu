#include <algorithm>

#include "kernels/launch.h"
#include "kernels/radix_sort.h"

namespace kernels {
namespace {

constexpr int widest = 8, digits = 1 << widest;  ///< bits a pass; a block has a thread for every digit
constexpr int warps = digits / warp_lanes, rounds = 8, warp_words = rounds * warp_lanes,
              block_words = warps * warp_words;

int64_t blocks_of(int64_t n) { return std::max<int64_t>((n + block_words - 1) / block_words, 1); }

/// What one pass sorts by.
struct Digit {
  int shift;
  uint64_t mask;
  __device__ int of(uint64_t word) const { return int(word >> shift & mask); }
};

/// counts [blocks, digits]: how many words of a block have a digit.
__global__ void count_kernel(const uint64_t* from, int64_t n, Digit digit, unsigned* counts) {
  __shared__ unsigned count[digits];
  count[threadIdx.x] = 0;
  __syncthreads();
  const int64_t begin = int64_t(blockIdx.x) * block_words, end = std::min(begin + block_words, n);
  for (int64_t i = begin + threadIdx.x; i < end; i += digits) atomicAdd(&count[digit.of(from[i])], 1u);
  __syncthreads();
  counts[int64_t(blockIdx.x) * digits + threadIdx.x] = count[threadIdx.x];
}

/// Each count becomes the sum of those of smaller digits, and of its digit in blocks before: where its words go. One
/// block; a thread has the counts of a digit.
__global__ void place_kernel(unsigned* counts, int64_t blocks) {
  __shared__ unsigned sums[warps];
  unsigned* const mine = counts + threadIdx.x;
  unsigned total = 0;
#pragma unroll 16
  for (int64_t b = 0; b < blocks; ++b) total += mine[b * digits];
  unsigned before = total;  // Σ over the lanes up to this one
  const int lane = int(threadIdx.x) % warp_lanes, warp = int(threadIdx.x) / warp_lanes;
  for (int step = 1; step < warp_lanes; step *= 2) {
    const unsigned other = __shfl_up_sync(whole_warp, before, step);
    if (lane >= step) before += other;
  }
  if (lane == warp_lanes - 1) sums[warp] = before;
  __syncthreads();
  unsigned place = before - total;
  for (int w = 0; w < warp; ++w) place += sums[w];
#pragma unroll 16
  for (int64_t b = 0; b < blocks; ++b) {
    const unsigned count = mine[b * digits];
    mine[b * digits] = place;
    place += count;
  }
}

/// The lanes of the warp whose digit is this lane's.
__device__ unsigned peers_of(int digit) {
  unsigned peers = whole_warp;
  for (int bit = 0; bit < widest; ++bit) {
    const bool set = digit >> bit & 1;
    const unsigned lanes = __ballot_sync(whole_warp, set);
    peers &= set ? lanes : ~lanes;
  }
  return peers;
}

/// Moves the words. Each warp has a run of them and goes through it 32 at a time, so a word's place among the block's
/// of its digit follows from the warps before, the rounds before and the lanes before: the order stays.
__global__ void move_kernel(const uint64_t* from, uint64_t* to, int64_t n, Digit digit, const unsigned* places) {
  __shared__ unsigned next[warps][digits];
  const int lane = int(threadIdx.x) % warp_lanes, warp = int(threadIdx.x) / warp_lanes;
  for (int w = 0; w < warps; ++w) next[w][threadIdx.x] = 0;
  __syncthreads();
  const int64_t begin = int64_t(blockIdx.x) * block_words + warp * warp_words + lane;
  uint64_t word[rounds];
  unsigned rank[rounds];
#pragma unroll
  for (int k = 0; k < rounds; ++k) {
    const int64_t i = begin + k * warp_lanes;
    const bool there = i < n;
    word[k] = there ? from[i] : 0;
    const int d = digit.of(word[k]);
    const unsigned peers = peers_of(d) & __ballot_sync(whole_warp, there);
    rank[k] = next[warp][d] + unsigned(__popc(peers & ((1u << lane) - 1)));
    __syncwarp();                                                                 // all have read `next`
    if (there && (peers >> lane) == 1) next[warp][d] += unsigned(__popc(peers));  // the last of them
    __syncwarp();
  }
  __syncthreads();
  unsigned place = places[int64_t(blockIdx.x) * digits + threadIdx.x];
  for (int w = 0; w < warps; ++w) {  // thread d turns the warps' counts of digit d into where their words go
    const unsigned count = next[w][threadIdx.x];
    next[w][threadIdx.x] = place;
    place += count;
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < rounds; ++k) {
    if (begin + k * warp_lanes < n) to[next[warp][digit.of(word[k])] + rank[k]] = word[k];
  }
}

}  // namespace

int64_t radix_sort_scratch(Cuda, int64_t n) { return n + blocks_of(n) * digits / 2; }

uint64_t* radix_sort(Cuda cuda, uint64_t* words, uint64_t* spare, int64_t n, int low, int high) {
  uint64_t *from = words, *to = spare;
  unsigned* const counts = reinterpret_cast<unsigned*>(spare + n);
  const int64_t blocks = blocks_of(n);
  if (n == 0) return words;
  for (int passes = (high - low + widest - 1) / widest; passes > 0; --passes) {
    const int bits = (high - low + passes - 1) / passes;
    const Digit digit{low, (uint64_t(1) << bits) - 1};
    launch(count_kernel, dim3(unsigned(blocks)), digits, 0, cuda.stream(), from, n, digit, counts);
    launch(place_kernel, 1, digits, 0, cuda.stream(), counts, blocks);
    launch(move_kernel, dim3(unsigned(blocks)), digits, 0, cuda.stream(), from, to, n, digit, counts);
    std::swap(from, to);
    low += bits;
  }
  return from;
}

}  // namespace kernels
