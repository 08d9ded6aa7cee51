#pragma once
#include "kernels/launch.h"
#include "kernels/radix_sort.h"

/// Sums of the rows that share a name, on a GPU, the same bits run after run: rows are sorted by their names, so that
/// those of one name lie together in their order, and the sorted rows are cut into chunks. A chunk sums what it has of
/// each name; a name that goes on in later chunks is put together from its parts, in order. So a name that has most of
/// the rows is shared by many blocks.
namespace kernels {

inline constexpr int sum_chunk = 64, sum_columns_width = 256;  ///< rows of a chunk, columns of a block

/// A row's name above its number: what is sorted.
static __device__ uint32_t name_of(uint64_t word) { return uint32_t(word >> 32); }

static __global__ void name_kernel(const int32_t* names, uint64_t* words, int64_t n) {
  Grid().each(n, [=](int64_t i) { words[i] = uint64_t(uint32_t(names[i])) << 32 | uint64_t(i); });
}

/// partial [chunks, 2, width]: of the chunk's first name, where it began earlier, and of its last, where it goes on.
template <class X, class A>
__global__ void chunk_sums_kernel(const X* x, const uint64_t* words, int64_t n, int64_t width, A scale, A* sums,
                                  A* partial) {
  constexpr int ahead = 8;  // rows that are read before they are added, with what their names had before
  __shared__ uint64_t word[sum_chunk];
  const int64_t begin = int64_t(blockIdx.x) * sum_chunk;
  const int count = int(std::min<int64_t>(sum_chunk, n - begin));
  if (int(threadIdx.x) < count) word[threadIdx.x] = words[begin + threadIdx.x];
  __syncthreads();
  const bool from_before = begin > 0 && name_of(words[begin - 1]) == name_of(word[0]);
  const bool goes_on = begin + count < n && name_of(words[begin + count]) == name_of(word[count - 1]);
  A* const head = partial + int64_t(blockIdx.x) * 2 * width;
  const int64_t c = int64_t(blockIdx.y) * sum_columns_width + threadIdx.x;
  if (c >= width) return;
  const auto ends = [&](int i) { return i + 1 == count || name_of(word[i + 1]) != name_of(word[i]); };
  A total = 0;
  bool first = true;
  for (int top = 0; top < count; top += ahead) {
    A value[ahead], before[ahead];
    for (int j = 0; j < ahead; ++j) {
      const int i = top + j;
      before[j] = i < count && ends(i) ? sums[int64_t(name_of(word[i])) * width + c] : A(0);
    }
    for (int j = 0; j < ahead; ++j) {
      value[j] = top + j < count ? A(x[int64_t(uint32_t(word[top + j])) * width + c]) : A(0);
    }
    for (int j = 0; j < ahead && top + j < count; ++j) {
      const int i = top + j;
      const bool last = i + 1 == count;
      total += value[j];
      if (!ends(i)) continue;
      if (first && from_before) {
        head[c] = total;
      } else if (last && goes_on) {
        head[width + c] = total;
      } else {
        sums[int64_t(name_of(word[i])) * width + c] = before[j] + scale * total;
      }
      total = 0, first = false;
    }
  }
}

/// A name that begins in this chunk and goes on: its parts, in order.
template <class A>
__global__ void join_sums_kernel(const uint64_t* words, int64_t n, int64_t width, A scale, A* sums, const A* partial) {
  const int64_t chunk = blockIdx.x, begin = chunk * sum_chunk, end = begin + sum_chunk;
  if (end >= n) return;
  const uint32_t name = name_of(words[end - 1]);
  if (name_of(words[end]) != name || (begin > 0 && name_of(words[begin - 1]) == name)) return;
  int64_t low = end, high = n;  // the first row of another name is in low + 1 … high
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (name_of(words[middle]) == name ? low : high) = middle;
  }
  const int64_t last = low / sum_chunk;
  const int64_t c = int64_t(blockIdx.y) * sum_columns_width + threadIdx.x;
  if (c >= width) return;
  double total = double(partial[(2 * chunk + 1) * width + c]);
#pragma unroll 8
  for (int64_t k = chunk + 1; k <= last; ++k) total += double(partial[2 * k * width + c]);
  sums[int64_t(name) * width + c] += scale * A(total);
}

/// sums_m += scale · Σ_{i: name_i = m} x_i.  x [n, width], names [n] below `count`, sums [count, width]; n < 2³¹
template <class X, class A>
void named_sums(Cuda cuda, const X* x, const int32_t* names, A scale, A* sums, int64_t n, int64_t count,
                int64_t width) {
  if (n == 0 || width == 0) return;
  constexpr int64_t word_bytes = sizeof(uint64_t);
  uint64_t* const words = static_cast<uint64_t*>(cuda.scratch(0, (n + radix_sort_scratch(cuda, n)) * word_bytes));
  const int64_t chunks = (n + sum_chunk - 1) / sum_chunk;
  A* const partial = static_cast<A*>(cuda.scratch(1, chunks * 2 * width * int64_t(sizeof(A))));
  if (words == nullptr || partial == nullptr) return;
  launch(name_kernel, element_blocks(n), Grid::threads, 0, cuda.stream(), names, words, n);
  int bits = 1;
  while (bits < 32 && int64_t(1) << bits < count) ++bits;
  const uint64_t* const sorted = radix_sort(cuda, words, words + n, n, 32, 32 + bits);
  const dim3 blocks(unsigned(chunks), unsigned((width + sum_columns_width - 1) / sum_columns_width));
  launch(chunk_sums_kernel<X, A>, blocks, sum_columns_width, 0, cuda.stream(), x, sorted, n, width, scale, sums,
         partial);
  launch(join_sums_kernel<A>, blocks, sum_columns_width, 0, cuda.stream(), sorted, n, width, scale, sums, partial);
}

}  // namespace kernels
