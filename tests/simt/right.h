#pragma once
#include <cstdint>

/// Kernels that are right, to hold the runner against plain loops. Pointers are to device memory.
namespace right {

/// sums[b] = Σ x over the 96 elements of block b: lanes by shuffles, warps through __shared__ memory.
void block_sums(const int* x, int* sums, int blocks);
/// sum = Σ x[0..n) by the block that ends last (atomics and __threadfence); partial [blocks], count = 0 before.
void last_block_sum(const int* x, int* partial, unsigned* count, int* sum, int blocks);
/// out[t] = what lane t of 64 saw in votes of whole warps and of parts that went ways of their own (right.cu).
void votes(unsigned* out);
/// Shuffles of every kind and type within groups of 8: out [7, 32].
void shuffles(double* out);
/// bins[x_i mod 8] counts x; least and most of x; out[0..8) bins, then least, most. One block of 128, others leave
/// early.
void counts(const int* x, int n, int* out, unsigned long long* wide);
/// order[i] = the number of the thread that came i-th; 2 blocks of 4.
void arrivals(unsigned* next, int* order);
/// A kernel that does nothing, started with these sizes.
void nothing(unsigned grid, unsigned block, uint64_t shared_bytes, bool allow);

}  // namespace right
