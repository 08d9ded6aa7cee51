#pragma once
#include "kernels/launch.h"

/// The GPU's sums of columns, and so of everything: in f64, in an order that the sizes alone fix. Memory bounds them: a
/// warp reads neighbouring columns, or where there are few, neighbouring rows; long columns are cut into pieces, which
/// are columns of another, short matrix.
namespace kernels {

/// Elements of `outer` matrices of rows `row` apart, matrices `matrix` apart.
template <class T>
struct Elements {
  const T* data;
  int64_t matrix, row;
  __device__ Accumulator<T> operator()(int64_t o, int64_t r, int64_t c) const {
    return Accumulator<T>(data[o * matrix + r * row + c]);
  }
};

/// The sums of pieces, [outer, pieces, cols].
struct Pieces {
  double* data;
  int64_t pieces, cols;
  __device__ void operator()(int64_t o, int64_t piece, int64_t c, double total) const {
    data[(o * pieces + piece) * cols + c] = total;
  }
};

/// A block takes `wide` columns, a power of two, of one piece: `tall` rows of one matrix.
template <class Element, class Finish>
__global__ void column_sums_kernel(Element element, Finish finish, int64_t outer, int64_t rows, int64_t cols,
                                   int64_t tall, int wide) {
  constexpr int threads = Block::threads, ahead = 8;  // loads in flight
  __shared__ double found[threads];
  const int column = int(threadIdx.x) % wide, lane = int(threadIdx.x) / wide, lanes = threads / wide;
  const int64_t tiles = (cols + wide - 1) / wide, pieces = rows > tall ? (rows + tall - 1) / tall : 1;
  for (int64_t unit = blockIdx.x; unit < outer * pieces * tiles; unit += gridDim.x) {
    const int64_t c = unit % tiles * wide + column, piece = unit / tiles % pieces, o = unit / tiles / pieces;
    const int64_t end = (piece + 1) * tall < rows ? (piece + 1) * tall : rows;
    double total = 0;
    if (c < cols) {
      int64_t r = piece * tall + lane;
      for (; r + (ahead - 1) * lanes < end; r += ahead * lanes) {
        decltype(element(o, r, c)) part[ahead];
        unrolled<ahead>([&](int k) { part[k] = element(o, r + k * lanes, c); });
        unrolled<ahead>([&](int k) { total += double(part[k]); });
      }
      for (; r < end; r += lanes) total += double(element(o, r, c));
    }
    found[threadIdx.x] = total;
    for (int half = threads / 2; half >= wide; half /= 2) {
      __syncthreads();
      if (int(threadIdx.x) < half) found[threadIdx.x] += found[threadIdx.x + half];
    }
    if (lane == 0 && c < cols) finish(o, piece, c, found[column]);  // what this thread added up itself
    __syncthreads();
  }
}

/// finish(o, 0, c, Σ_r element(o, r, c)) for every column of `outer` matrices [rows, cols]. Takes scratch 0.
template <class Element, class Finish>
void column_sums(Cuda cuda, Element element, Finish finish, int64_t outer, int64_t rows, int64_t cols) {
  constexpr int64_t most_pieces = 1024, shortest = 16;  // of a thread
  int wide = 1;
  while (wide < warp_lanes && wide < cols) wide *= 2;
  const int64_t lanes = Block::threads / wide, tiles = outer * ((cols + wide - 1) / wide);
  if (tiles == 0) return;
  const int64_t wanted = most_pieces > tiles ? most_pieces / tiles : 1, even = (rows + wanted - 1) / wanted;
  const int64_t tall = (even > shortest * lanes ? even + lanes - 1 : shortest * lanes) / lanes * lanes;
  const int64_t pieces = rows > tall ? (rows + tall - 1) / tall : 1;
  if (pieces == 1) {
    launch(column_sums_kernel<Element, Finish>, blocks_for(tiles, 1), Block::threads, 0, cuda.stream(), element, finish,
           outer, rows, cols, tall, wide);
    return;
  }
  double* const sums = static_cast<double*>(cuda.scratch(0, outer * pieces * cols * int64_t(sizeof(double))));
  if (sums == nullptr) return;
  launch(column_sums_kernel<Element, Pieces>, blocks_for(tiles * pieces, 1), Block::threads, 0, cuda.stream(), element,
         Pieces{sums, pieces, cols}, outer, rows, cols, tall, wide);
  launch(column_sums_kernel<Elements<double>, Finish>, blocks_for(tiles, 1), Block::threads, 0, cuda.stream(),
         Elements<double>{sums, pieces * cols, cols}, finish, outer, pieces, cols, pieces, wide);
}

/// Where column sums become a gradient [cols].
template <class A>
struct PutSum {
  Grad<A> gradient;
  __device__ void operator()(int64_t, int64_t, int64_t c, double total) const { gradient.put(c, A(total)); }
};

}  // namespace kernels
