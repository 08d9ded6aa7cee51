#include "kernels/nearest.h"

#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/launch.h"

namespace kernels {
namespace {

constexpr int64_t block_elements = int64_t(1) << 22;  // of x·e: written and read once, mostly in the card's cache

int64_t block_rows(int64_t n, int64_t k) {
  return std::min(n, std::max<int64_t>(block_elements / std::max<int64_t>(k, 1), 64));
}
/// Room for the norms, such that the products after them start at a multiple of 128 bytes.
int64_t norms_room(int64_t k) { return (k + 31) / 32 * 32; }

template <class T>
__device__ T squared_norm(const T* x, int64_t d) {
  return Warp().sum(d, [=](int64_t i) { return x[i] * x[i]; });
}

/// ‖x − e‖² in f64.
template <class T>
__device__ double exact_distance(const T* x, const T* e, int64_t d) {
  return Warp().sum(d, [=](int64_t i) {
    const double difference = double(x[i]) - double(e[i]);
    return difference * difference;
  });
}

template <class T>
__global__ void norms_kernel(const T* e, T* norms, int64_t k, int64_t d) {
  each_row(Warp(), k, [=](int64_t j) {
    const T norm = squared_norm(e + j * d, d);
    if (threadIdx.x % warp_lanes == 0) norms[j] = norm;
  });
}

/// A warp a row, given products = −2 x·e of these rows. Bound by bytes: the products (twice, the second time from a
/// cache), and x and one code for the distance. The tolerance is that of the CPU (nearest.cpp), where it is explained;
/// conditions are such that a NaN or an overflow makes a code a candidate.
template <class T>
__global__ void choose_kernel(const T* x, const T* e, const T* norms, const T* products, int32_t* index, T* distance,
                              int64_t n, int64_t k, int64_t d) {
  const int lane = threadIdx.x % warp_lanes;
  each_row(Warp(), n, [=](int64_t r) {
    const T* const row = x + r * d;
    const T* const terms = products + r * k;
    T lowest = infinity<T>, largest = 0;
    Warp().each(k, [&](int64_t j) {
      const T norm = norms[j], score = norm + terms[j];
      lowest = score < lowest ? score : lowest;
      largest = norm > largest ? norm : largest;
    });
    lowest = -warp_max(-lowest);
    largest = kernels::sqrt(warp_max(largest));
    const T length = kernels::sqrt(squared_norm(row, d));
    using Limits = std::numeric_limits<T>;
    const T limit = lowest + T(d + 4) * (Limits::epsilon() * largest * (largest + 2 * length) + Limits::min());

    int32_t winner = -1;
    double best = infinity<double>;
    for (int64_t first = 0; first < k; first += warp_lanes) {
      const int64_t j = first + lane;
      unsigned candidates = __ballot_sync(whole_warp, j < k && !(norms[j] + terms[j] > limit));
      for (; candidates != 0; candidates &= candidates - 1) {
        const int64_t code = first + __ffs(int(candidates)) - 1;
        const double found = exact_distance(row, e + code * d, d);
        if (found < best) winner = int32_t(code), best = found;
      }
    }
    if (lane != 0) return;
    index[r] = winner < 0 ? 0 : winner;
    if (distance != nullptr) distance[r] = winner < 0 ? Limits::quiet_NaN() : T(best);
  });
}

/// A warp takes four rows, and four codes at a time: of eight numbers read, sixteen differences.
template <class T>
__global__ void distances_kernel(const T* x, const T* e, T* y, int64_t n, int64_t k, int64_t d) {
  constexpr int side = 4;
  const int lane = threadIdx.x % warp_lanes;
  each_row(Warp(), (n + side - 1) / side, [=](int64_t unit) {
    for (int64_t first = 0; first < k; first += side) {
      const T *rows[side], *codes[side];  // past the end: the last once more
      for (int u = 0; u < side; ++u) {
        const int64_t r = unit * side + u, j = first + u;
        rows[u] = x + (r < n ? r : n - 1) * d;
        codes[u] = e + (j < k ? j : k - 1) * d;
      }
      T sum[side][side] = {};
      Warp().each(d, [&](int64_t i) {
#pragma unroll
        for (int u = 0; u < side; ++u) {
#pragma unroll
          for (int v = 0; v < side; ++v) {
            const T difference = rows[u][i] - codes[v][i];
            sum[u][v] += difference * difference;
          }
        }
      });
#pragma unroll
      for (int u = 0; u < side; ++u) {
#pragma unroll
        for (int v = 0; v < side; ++v) {
          const T total = warp_sum(sum[u][v]);
          const int64_t r = unit * side + u, j = first + v;
          if (lane == u * side + v && r < n && j < k) y[r * k + j] = total;
        }
      }
    }
  });
}

}  // namespace

int64_t nearest_scratch(Cuda, int64_t n, int64_t k) { return norms_room(k) + block_rows(n, k) * k; }

template <class T>
void nearest(Cuda cuda, const T* x, const T* e, int32_t* index, T* distance, int64_t n, int64_t k, int64_t d,
             T* scratch) {
  const int64_t block = block_rows(n, k);
  T* const norms = scratch;
  T* const products = scratch + norms_room(k);
  launch(norms_kernel<T>, blocks_for(k, Warp::warps), Warp::threads, 0, cuda.stream(), e, norms, k, d);
  for (int64_t first = 0; first < n; first += block) {
    const int64_t rows = std::min(block, n - first);
    gemm(cuda, rows, k, d, T(-2), Matrix<T>{x + first * d, d}, Matrix<T>{e, d, true}, T(0), products, k);
    launch(choose_kernel<T>, blocks_for(rows, Warp::warps), Warp::threads, 0, cuda.stream(), x + first * d, e, norms,
           products, index + first, distance == nullptr ? nullptr : distance + first, rows, k, d);
  }
}

template <class T>
void squared_distances(Cuda cuda, const T* x, const T* e, T* y, int64_t n, int64_t k, int64_t d) {
  if (k == 0) return;
  launch(distances_kernel<T>, blocks_for((n + 3) / 4, Warp::warps), Warp::threads, 0, cuda.stream(), x, e, y, n, k, d);
}

#define ACE_INSTANTIATE(T)                                                                      \
  template void nearest(Cuda, const T*, const T*, int32_t*, T*, int64_t, int64_t, int64_t, T*); \
  template void squared_distances(Cuda, const T*, const T*, T*, int64_t, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
