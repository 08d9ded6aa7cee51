#pragma once
#include "kernels/attention_tile.h"

namespace kernels::tiled {

/// Products of tiles by fused multiply-adds in f32. A warp has 4 × 8 lanes; each has R rows and 4 columns of the
/// scores, and R rows and an eighth of all columns (four neighbours of every 32) of a product with them, so that R · 4
/// or more sums share what is read from shared memory in 16 bytes. Rows of tiles are shifted against each other by four
/// banks, which keeps the eight lanes of a row apart.
template <int D, int R>
struct Fma {
  using Number = float;
  static constexpr bool exists = true;
  static constexpr int width = D, most_warps = 4;
  static constexpr int lane_rows = R, warp_rows = 4 * R, cols = 32, lane_cols = cols / 8;
  static constexpr int whole_cols = cols;  // all are multiplied
  static constexpr int stride = D + 4, staging_stride = cols + 8, staging_bytes = warp_rows * staging_stride * 4;
  static constexpr float slack = 0;

  /// Warps of a block for so many rows a sequence.
  static int warps_for(int64_t) { return most_warps; }
  static __device__ int row(int i) { return int(threadIdx.x) % warp_lanes / 8 + 4 * i; }
  static __device__ int column(int j) { return int(threadIdx.x) % 8 + 8 * j; }
  static __device__ float exp(float x) { return kernels::exp(x); }

  static __device__ void fma(float& sum, float4 a, float4 b) {
    sum += a.x * b.x, sum += a.y * b.y, sum += a.z * b.z, sum += a.w * b.w;
  }
  static __device__ void fma(float4& sum, float a, float4 b) {
    sum.x += a * b.x, sum.y += a * b.y, sum.z += a * b.z, sum.w += a * b.w;
  }

  /// out = X Yᵀ of this warp's rows and all columns.
  static __device__ void scores(const float* x, const float* y, int, void*, float (&out)[R][lane_cols]) {
#pragma unroll
    for (int i = 0; i < R; ++i) {
      for (int j = 0; j < lane_cols; ++j) out[i][j] = 0;
    }
#pragma unroll 4
    for (int c = 0; c < D; c += 4) {
      float4 a[R], b[lane_cols];
#pragma unroll
      for (int i = 0; i < R; ++i) a[i] = read4(x + row(i) * stride + c);
#pragma unroll
      for (int j = 0; j < lane_cols; ++j) b[j] = read4(y + column(j) * stride + c);
#pragma unroll
      for (int i = 0; i < R; ++i) {
#pragma unroll
        for (int j = 0; j < lane_cols; ++j) fma(out[i][j], a[i], b[j]);
      }
    }
  }

  /// Σ P M over tiles, [warp_rows, width]: a lane has four neighbouring columns of every 32.
  struct Sum {
    float4 at[R][D / 32];
    __device__ Sum() {
#pragma unroll
      for (int i = 0; i < R; ++i) {
        for (int c = 0; c < D / 32; ++c) at[i][c] = make_float4(0, 0, 0, 0);
      }
    }
    __device__ void scale(const float (&factor)[R], void*) {
#pragma unroll
      for (int i = 0; i < R; ++i) {
        for (int c = 0; c < D / 32; ++c) {
          float4& x = at[i][c];
          x = make_float4(x.x * factor[i], x.y * factor[i], x.z * factor[i], x.w * factor[i]);
        }
      }
    }
    /// Columns of p from `live` on are 0, up to a multiple of four, and rows of m there are finite.
    __device__ void add(const float (&p)[R][lane_cols], const float* m, int live, void* staging) {
      float* const stage = static_cast<float*>(staging);
      __syncwarp();  // what was staged before has been read
#pragma unroll
      for (int i = 0; i < R; ++i) {
        for (int j = 0; j < lane_cols; ++j) stage[row(i) * staging_stride + column(j)] = p[i][j];
      }
      __syncwarp();
      for (int k = 0; k < live; k += 4) {
        float4 a[R];
#pragma unroll
        for (int i = 0; i < R; ++i) a[i] = read4(stage + row(i) * staging_stride + k);
        const float* const b = m + k * stride + 4 * column(0);
#pragma unroll
        for (int c = 0; c < D / 32; ++c) {
          const float4 b0 = read4(b + 32 * c), b1 = read4(b + stride + 32 * c);
          const float4 b2 = read4(b + 2 * stride + 32 * c), b3 = read4(b + 3 * stride + 32 * c);
#pragma unroll
          for (int i = 0; i < R; ++i) {
            fma(at[i][c], a[i].x, b0), fma(at[i][c], a[i].y, b1);
            fma(at[i][c], a[i].z, b2), fma(at[i][c], a[i].w, b3);
          }
        }
      }
    }
    /// f(i, column, four neighbours) for all that this lane has of the rows row(i).
    template <class F>
    __device__ void each(void*, F f) const {
#pragma unroll
      for (int i = 0; i < R; ++i) {
#pragma unroll
        for (int c = 0; c < D / 32; ++c) f(i, 4 * column(0) + 32 * c, at[i][c]);
      }
    }
  };
};

}  // namespace kernels::tiled
