#pragma once
#include "kernels/attention.h"
#include "kernels/launch.h"

/// Tiled attention on a GPU, forward and backward, over an engine that multiplies the tiles: Fma (attention_fma.h) or
/// Wmma (attention_wmma.h). Included by attention_launch.h, that is, by one file for each type of numbers.
///
/// A block has a tile of rows of one head of one sequence in shared memory, E::warp_rows of them a warp, and meets all
/// tiles of E::cols columns one after another: rows are queries and columns are keys, or the other way round for the
/// gradients of keys. A warp's scores are its own, so that blocks wait for each other's loads alone. Lane l holds of
/// the scores [warp_rows, cols] the rows E::row(i), i < lane_rows, and the columns E::column(j), j < lane_cols; a row
/// is spread over eight neighbouring lanes. Bits of a row do not depend on how rows are grouped into tiles.
namespace kernels::tiled {

/// One head of one sequence: its rows, and its first column.
struct Head {
  int64_t q_begin, k_begin, column;
  int n, m;
  /// How many keys query i sees; for an i past the last query it may be more than there are.
  __device__ int seen(int i, bool causal) const {
    const int above = i + 1 + m - n;
    return !causal ? m : above < 0 ? 0 : above;
  }
};

/// The last b of 0 … n−1 with before(b) ≤ x, where before(0) ≤ x and it never falls: all lanes of a warp ask at once.
template <class F>
__device__ int64_t last_at_most(int64_t n, int64_t x, F before) {
  int64_t low = 0, high = n;
  while (high - low > 1) {
    const int64_t step = (high - low + warp_lanes - 1) / warp_lanes, at = low + threadIdx.x % warp_lanes * step;
    const int64_t end = low + __popc(__ballot_sync(whole_warp, at < high && before(at) <= x)) * step;
    low = end - step, high = end < high ? end : high;
  }
  return low;
}

__device__ inline Head head_of(const AttentionShape& s, int64_t b, int64_t h) {
  const int32_t *q = s.q_offsets + b, *k = s.k_offsets + b;
  return {q[0], k[0], h * s.width, q[1] - q[0], k[1] - k[0]};
}

/// Tiles of all sequences, for a host that knows how many rows they have together but not where each begins: first the
/// first tile of every sequence, then what else they have. Sequence b has those of the rest from offsets[b] / rows to
/// offsets[b + 1] / rows: for n rows that is n / rows rounded down or one more, and it needs n / rows rounded up − 1.
inline dim3 tiles_for(const AttentionShape& s, int64_t total_rows, int rows) {
  return dim3(unsigned(s.sequences == 0 ? 0 : total_rows / rows + s.sequences), unsigned(s.heads));
}
struct Place : Head {
  int first;  ///< row of the sequence with which the tile begins; may be past the last
};
__device__ inline Place place_of(const AttentionShape& s, const int32_t* offsets, int rows) {
  if (blockIdx.x < s.sequences) return {head_of(s, blockIdx.x, blockIdx.y), 0};
  const int64_t other = blockIdx.x - s.sequences;
  const auto before = [=](int64_t b) { return offsets[b] / rows; };
  const int64_t b = last_at_most(s.sequences, other, before);
  return {head_of(s, b, blockIdx.y), int(other - before(b) + 1) * rows};
}

__device__ inline float4 read4(const float* x) { return *reinterpret_cast<const float4*>(x); }
__device__ inline void write4(float* x, float4 v) { *reinterpret_cast<float4*>(x) = v; }
/// Two 16-bit numbers in their order in memory.
template <class T>
__device__ unsigned pair(float low, float high) {
  return unsigned(T(low).bits) | unsigned(T(high).bits) << 16;
}
template <class T>
__device__ void write4(T* x, float4 v) {
  *reinterpret_cast<uint2*>(x) = make_uint2(pair<T>(v.x, v.y), pair<T>(v.z, v.w));
}

/// Puts four neighbours of a gradient, or of a result.
template <class T>
__device__ void put4(Grad<T> to, int64_t at, float4 v) {
  T* const x = to.data + at;
  if (to.add) v = make_float4(v.x + float(x[0]), v.y + float(x[1]), v.z + float(x[2]), v.w + float(x[3]));
  if (reinterpret_cast<uintptr_t>(x) % (4 * sizeof(T)) == 0) {
    write4(x, v);
  } else {
    x[0] = T(v.x), x[1] = T(v.y), x[2] = T(v.z), x[3] = T(v.w);
  }
}

/// Rows of a head to shared memory, by the whole block. After them come zeros up to a multiple of `whole` rows. Where
/// accesses of 16 bytes fit, several loads are on their way before the first is stored.
template <class E, class T>
__device__ void load_tile(const T* from, int64_t stride, int rows, int whole, T* to) {
  constexpr int wide = 16 / sizeof(T), across = E::width / wide, ahead = 4;
  const int packs = (rows + whole - 1) / whole * whole * across, threads = int(blockDim.x);
  if ((reinterpret_cast<uintptr_t>(from) | uintptr_t(stride) * sizeof(T)) % 16 == 0) {
    for (int first = int(threadIdx.x); first < packs; first += ahead * threads) {
      uint4 held[ahead];
      unrolled<ahead>([&](int n) {
        const int i = first + n * threads, r = i / across, c = i % across * wide;
        held[n] = make_uint4(0, 0, 0, 0);
        if (r < rows) held[n] = __ldg(reinterpret_cast<const uint4*>(from + r * stride + c));
      });
      unrolled<ahead>([&](int n) {
        const int i = first + n * threads, r = i / across, c = i % across * wide;
        if (i < packs) *reinterpret_cast<uint4*>(to + r * E::stride + c) = held[n];
      });
    }
  } else {
    for (int i = int(threadIdx.x); i < packs * wide; i += threads) {
      const int r = i / E::width, c = i % E::width;
      to[r * E::stride + c] = r < rows ? from[r * stride + c] : T(0.0f);
    }
  }
}

/// Shared memory: what each warp stages its scores in, two tiles of columns, tiles of rows.
template <class E>
int64_t shared_bytes(int warps, int row_tiles) {
  const int64_t rows = 2 * E::cols + row_tiles * warps * E::warp_rows;
  return warps * E::staging_bytes + rows * E::stride * int64_t(sizeof(typename E::Number));
}
template <class E>
struct Memory {
  using T = typename E::Number;
  T *columns[2], *rows[2];
  void* staging;
  int tile;  ///< rows of a tile of rows
  int mine;  ///< the first of them that is this warp's
  __device__ Memory() {
    unsigned char* const memory = shared_memory<unsigned char>();
    const int warp = int(threadIdx.x) / warp_lanes, warps = int(blockDim.x) / warp_lanes;
    tile = warps * E::warp_rows;
    mine = warp * E::warp_rows;
    staging = memory + warp * E::staging_bytes;
    columns[0] = reinterpret_cast<T*>(memory + warps * E::staging_bytes);
    columns[1] = columns[0] + E::cols * E::stride;
    rows[0] = columns[1] + E::cols * E::stride;
    rows[1] = rows[0] + tile * E::stride;
  }
};

/// Over the eight lanes of a row.
__device__ inline float row_sum(float x) {
  for (int step = 4; step > 0; step /= 2) x += __shfl_xor_sync(whole_warp, x, step);
  return x;
}
__device__ inline float row_max(float x) {
  for (int step = 4; step > 0; step /= 2) x = larger_or_nan(x, __shfl_xor_sync(whole_warp, x, step));
  return x;
}

/// One row of scores becomes exp(scale · score − top). The first tile sets top to its maximum, a later one raises it to
/// its own when that is more than E::slack above; what was summed before is then to be multiplied by the result.
/// (Online softmax: Milakov and Gimelshein 2018.) `seen` columns of the row are seen.
template <class E>
__device__ float soften(float (&p)[E::lane_cols], float scale, int seen, bool first, float& top, float& total) {
  float high = -infinity<float>;
#pragma unroll
  for (int j = 0; j < E::lane_cols; ++j) {
    p[j] = E::column(j) < seen ? p[j] * scale : -infinity<float>;
    high = larger_or_nan(high, p[j]);
  }
  high = row_max(high);
  float factor = 1;
  if (first || high > top + E::slack || high != high) {
    factor = first ? 0 : E::exp(top - high);
    top = high;
  }
  float sum = 0;
#pragma unroll
  for (int j = 0; j < E::lane_cols; ++j) {
    p[j] = E::column(j) < seen ? E::exp(p[j] - top) : 0.0f;
    sum += p[j];
  }
  total = total * factor + sum;
  return factor;
}

/// Tiles of queries against all keys that they see.
template <class E, class T>
__global__ void __launch_bounds__(E::most_warps* warp_lanes, 1)
    forward_kernel(AttentionShape s, const T* q, const T* k, const T* v, T* o, float* lse) {
  if constexpr (E::exists) {
    const Memory<E> memory;
    const Place at = place_of(s, s.q_offsets, memory.tile);
    const int rows = at.n - at.first < memory.tile ? at.n - at.first : memory.tile;
    if (rows <= 0) return;
    const float scale = 1.0f / sqrt(float(E::width));
    const int64_t row = at.q_begin + at.first;
    load_tile<E>(q + row * s.q_stride + at.column, s.q_stride, rows, E::warp_rows, memory.rows[0]);
    const int visible = at.seen(at.first + rows - 1, s.causal);
    float top[E::lane_rows], total[E::lane_rows], factor[E::lane_rows];
    for (int i = 0; i < E::lane_rows; ++i) top[i] = -infinity<float>, total[i] = 0;
    typename E::Sum sum;
    for (int begin = 0; begin < visible; begin += E::cols) {
      const int live = visible - begin < E::cols ? visible - begin : E::cols;
      const int64_t key = at.k_begin + begin;
      if (begin > 0) __syncthreads();  // the tiles before have been read
      load_tile<E>(k + key * s.k_stride + at.column, s.k_stride, live, E::whole_cols, memory.columns[0]);
      load_tile<E>(v + key * s.v_stride + at.column, s.v_stride, live, E::whole_cols, memory.columns[1]);
      __syncthreads();
      if (memory.mine >= rows) continue;
      float p[E::lane_rows][E::lane_cols];
      E::scores(memory.rows[0] + memory.mine * E::stride, memory.columns[0], live, memory.staging, p);
#pragma unroll
      for (int i = 0; i < E::lane_rows; ++i) {
        const int seen = at.seen(at.first + memory.mine + E::row(i), s.causal) - begin;
        factor[i] = soften<E>(p[i], scale, seen, begin == 0, top[i], total[i]);
      }
      if (begin > 0) sum.scale(factor, memory.staging);
      sum.add(p, memory.columns[1], live, memory.staging);
    }
    if (memory.mine >= rows) return;
    float inverse[E::lane_rows];
#pragma unroll
    for (int i = 0; i < E::lane_rows; ++i) {
      const int r = memory.mine + E::row(i);
      const bool any = at.seen(at.first + r, s.causal) > 0;
      total[i] = row_sum(total[i]);
      inverse[i] = any ? 1.0f / total[i] : 0.0f;
      if (lse && r < rows && E::column(0) == 0) {
        lse[(row + r) * s.heads + blockIdx.y] = any ? top[i] + log(total[i]) : 0.0f;
      }
    }
    sum.each(memory.staging, [&](int i, int c, float4 x) {
      const int r = memory.mine + E::row(i);
      const float z = inverse[i];
      if (r < rows) {
        put4(Grad<T>{o}, (row + r) * s.heads * E::width + at.column + c,
             make_float4(x.x * z, x.y * z, x.z * z, x.w * z));
      }
    });
  }
}

/// dQ and delta = rowsum(dO ⊙ O) of tiles of queries. As on the CPU, where one tile has all keys, delta is
/// Σ_j P_ij dP_ij, whose rounding errors are those of the terms that it is subtracted from.
template <class E, class T>
__global__ void __launch_bounds__(E::most_warps* warp_lanes, 1)
    queries_kernel(AttentionShape s, const T* q, const T* k, const T* v, const T* o, const float* lse, const T* d_o,
                   Grad<T> dq, float* delta) {
  if constexpr (E::exists) {
    const Memory<E> memory;
    const Place at = place_of(s, s.q_offsets, memory.tile);
    const int rows = at.n - at.first < memory.tile ? at.n - at.first : memory.tile;
    if (rows <= 0) return;
    const float scale = 1.0f / sqrt(float(E::width));
    const int64_t row = at.q_begin + at.first, o_stride = s.heads * E::width;
    load_tile<E>(q + row * s.q_stride + at.column, s.q_stride, rows, E::warp_rows, memory.rows[0]);
    load_tile<E>(d_o + row * o_stride + at.column, o_stride, rows, E::warp_rows, memory.rows[1]);
    const bool one_tile = at.m <= E::cols;
    float logs[E::lane_rows], shift[E::lane_rows];
#pragma unroll
    for (int i = 0; i < E::lane_rows; ++i) {
      const int r = memory.mine + E::row(i);
      logs[i] = r < rows ? lse[(row + r) * s.heads + blockIdx.y] : 0.0f;
      shift[i] = 0;
      if (one_tile) continue;
      const int64_t out = (row + r) * o_stride + at.column;
      for (int c = int(threadIdx.x) % 8; r < rows && c < E::width; c += 8) {
        shift[i] += float(d_o[out + c]) * float(o[out + c]);
      }
      shift[i] = row_sum(shift[i]);
    }
    const int visible = dq || one_tile ? at.seen(at.first + rows - 1, s.causal) : 0;
    typename E::Sum sum;
    for (int begin = 0; begin < visible; begin += E::cols) {
      const int live = visible - begin < E::cols ? visible - begin : E::cols;
      const int64_t key = at.k_begin + begin;
      if (begin > 0) __syncthreads();  // the tiles before have been read
      load_tile<E>(k + key * s.k_stride + at.column, s.k_stride, live, E::whole_cols, memory.columns[0]);
      load_tile<E>(v + key * s.v_stride + at.column, s.v_stride, live, E::whole_cols, memory.columns[1]);
      __syncthreads();
      if (memory.mine >= rows) continue;
      float p[E::lane_rows][E::lane_cols], dp[E::lane_rows][E::lane_cols];
      E::scores(memory.rows[0] + memory.mine * E::stride, memory.columns[0], live, memory.staging, p);
      E::scores(memory.rows[1] + memory.mine * E::stride, memory.columns[1], live, memory.staging, dp);
#pragma unroll
      for (int i = 0; i < E::lane_rows; ++i) {
        const int seen = at.seen(at.first + memory.mine + E::row(i), s.causal) - begin;
        float mass = 0, dot = 0;
#pragma unroll
        for (int j = 0; j < E::lane_cols; ++j) {
          const bool sees = E::column(j) < seen;
          p[i][j] = sees ? E::exp(p[i][j] * scale - logs[i]) : 0.0f;
          dp[i][j] = sees ? dp[i][j] : 0.0f;
          mass += p[i][j], dot += p[i][j] * dp[i][j];
        }
        if (one_tile) {
          mass = row_sum(mass), dot = row_sum(dot);
          shift[i] = seen > 0 ? dot / mass : 0.0f;
        }
#pragma unroll
        for (int j = 0; j < E::lane_cols; ++j) p[i][j] *= dp[i][j] - shift[i];
      }
      if (dq) sum.add(p, memory.columns[0], live, memory.staging);
    }
    if (memory.mine >= rows) return;
#pragma unroll
    for (int i = 0; i < E::lane_rows; ++i) {
      const int r = memory.mine + E::row(i);
      if (r < rows && E::column(0) == 0) delta[(row + r) * s.heads + blockIdx.y] = shift[i];
    }
    if (!dq) return;
    sum.each(memory.staging, [&](int i, int c, float4 x) {
      const int r = memory.mine + E::row(i);
      if (r >= rows) return;
      put4(dq, (row + r) * s.q_stride + at.column + c, make_float4(x.x * scale, x.y * scale, x.z * scale, x.w * scale));
    });
  }
}

/// dK and dV of tiles of keys, over the tiles of the queries that see them: here the scores are transposed. Without dK,
/// delta is not read.
template <class E, class T>
__global__ void __launch_bounds__(E::most_warps* warp_lanes, 1)
    keys_kernel(AttentionShape s, const T* q, const T* k, const T* v, const float* lse, const float* delta,
                const T* d_o, Grad<T> dk, Grad<T> dv) {
  if constexpr (E::exists) {
    const Memory<E> memory;
    const Place at = place_of(s, s.k_offsets, memory.tile);
    const int rows = at.m - at.first < memory.tile ? at.m - at.first : memory.tile;
    if (rows <= 0) return;
    const float scale = 1.0f / sqrt(float(E::width));
    const int64_t row = at.k_begin + at.first, o_stride = s.heads * E::width;
    load_tile<E>(k + row * s.k_stride + at.column, s.k_stride, rows, E::warp_rows, memory.rows[0]);
    load_tile<E>(v + row * s.v_stride + at.column, s.v_stride, rows, E::warp_rows, memory.rows[1]);
    const int hidden = s.causal ? at.first - (at.m - at.n) : 0;  // queries before this one see no key of the tile
    typename E::Sum sum_k, sum_v;
    for (int begin = hidden > 0 ? hidden / E::cols * E::cols : 0; begin < at.n; begin += E::cols) {
      const int live = at.n - begin < E::cols ? at.n - begin : E::cols;
      const int64_t query = at.q_begin + begin;
      __syncthreads();  // the tiles before have been read
      load_tile<E>(q + query * s.q_stride + at.column, s.q_stride, live, E::whole_cols, memory.columns[0]);
      load_tile<E>(d_o + query * o_stride + at.column, o_stride, live, E::whole_cols, memory.columns[1]);
      __syncthreads();
      if (memory.mine >= rows) continue;
      float p[E::lane_rows][E::lane_cols], dp[E::lane_rows][E::lane_cols];
      const auto sees = [&](int i, int j) {
        const int seen = at.seen(begin + E::column(j), s.causal);
        return E::column(j) < live && at.first + memory.mine + E::row(i) < seen;
      };
      E::scores(memory.rows[0] + memory.mine * E::stride, memory.columns[0], live, memory.staging, p);
#pragma unroll
      for (int j = 0; j < E::lane_cols; ++j) {
        const float log_sum = E::column(j) < live ? lse[(query + E::column(j)) * s.heads + blockIdx.y] : 0.0f;
#pragma unroll
        for (int i = 0; i < E::lane_rows; ++i) p[i][j] = sees(i, j) ? E::exp(p[i][j] * scale - log_sum) : 0.0f;
      }
      if (dv) sum_v.add(p, memory.columns[1], live, memory.staging);
      if (!dk) continue;
      E::scores(memory.rows[1] + memory.mine * E::stride, memory.columns[1], live, memory.staging, dp);
#pragma unroll
      for (int j = 0; j < E::lane_cols; ++j) {
        const float shift = E::column(j) < live ? delta[(query + E::column(j)) * s.heads + blockIdx.y] : 0.0f;
#pragma unroll
        for (int i = 0; i < E::lane_rows; ++i) p[i][j] = sees(i, j) ? p[i][j] * (dp[i][j] - shift) : 0.0f;
      }
      sum_k.add(p, memory.columns[0], live, memory.staging);
    }
    if (memory.mine >= rows) return;
    const auto put = [&](Grad<T> to, int64_t stride, float factor) {
      return [=](int i, int c, float4 x) {
        const int r = memory.mine + E::row(i);
        if (r >= rows) return;
        put4(to, (row + r) * stride + at.column + c,
             make_float4(x.x * factor, x.y * factor, x.z * factor, x.w * factor));
      };
    };
    if (dv) sum_v.each(memory.staging, put(dv, s.v_stride, 1.0f));
    if (dk) sum_k.each(memory.staging, put(dk, s.k_stride, scale));
  }
}

}  // namespace kernels::tiled
