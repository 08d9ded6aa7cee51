#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

#include "kernels/attention_tile.h"

namespace kernels::tiled {

/// What the tensor cores call T. Those for bf16 came with compute capability 8.0; code for older cards has none.
template <class T>
struct Factor {
  using type = half;
  static constexpr bool exists = std::is_same_v<T, f16>;
};
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
template <>
struct Factor<bf16> {
  using type = __nv_bfloat16;
  static constexpr bool exists = true;
};
#endif

/// Products of tiles by tensor cores: factors in f16 or bf16, sums in f32, 16 rows a warp. Who holds which element of a
/// fragment is not said, so whatever needs to know its row goes through the warp's staging memory: scores on their way
/// to the softmax, weights on their way back, and sums when a maximum rises or all is done. That a maximum rises by
/// less than `slack` changes nothing: weights are then above 1, where f16 has as many digits.
template <class T, int D>
struct Wmma {
  using Number = T;
  using Element = typename Factor<T>::type;
  static constexpr bool exists = Factor<T>::exists;
  static constexpr int width = D, most_warps = 4;
  static constexpr int lane_rows = 4, warp_rows = 16;
  static constexpr int cols = D == 128 ? 32 : 64, lane_cols = cols / 8;  // wider heads need the registers
  static constexpr int whole_cols = 16;                                  // so many are multiplied or left out together
  static constexpr int stride = D + 8, staging_stride = cols + 8, staging_bytes = warp_rows * staging_stride * 4;
  static constexpr float slack = 4;

  using Rows = nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16, Element, nvcuda::wmma::row_major>;
  template <class Layout>
  using Columns = nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, Element, Layout>;
  using Sums = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;

  /// Warps of a block for so many rows a sequence.
  static int warps_for(int64_t rows) { return rows <= warp_rows ? 1 : rows <= 2 * warp_rows ? 2 : most_warps; }
  static __device__ int row(int i) { return int(threadIdx.x) % warp_lanes / 8 + 4 * i; }
  static __device__ int column(int j) { return int(threadIdx.x) % 8 * 4 + 32 * (j / 4) + j % 4; }
  static __device__ float exp(float x) {
#ifdef __CUDA_ARCH__
    return __expf(x);
#else
    return kernels::exp(x);
#endif
  }
  template <class Fragment>
  static __device__ void load(Fragment& fragment, const T* x, int ldm) {
    nvcuda::wmma::load_matrix_sync(fragment, reinterpret_cast<const Element*>(x), unsigned(ldm));
  }

  /// out = X Yᵀ of this warp's rows and `live` columns; what it gives for others is finite where Y is.
  static __device__ void scores(const T* x, const T* y, int live, void* staging, float (&out)[lane_rows][lane_cols]) {
    Sums sums[cols / 16];
#pragma unroll
    for (Sums& sum : sums) nvcuda::wmma::fill_fragment(sum, 0.0f);
#pragma unroll
    for (int k = 0; k < D; k += 16) {
      Rows a;
      load(a, x + k, stride);
#pragma unroll
      for (int c = 0; c < cols / 16; ++c) {
        if (16 * c >= live) break;
        Columns<nvcuda::wmma::col_major> b;
        load(b, y + 16 * c * stride + k, stride);
        nvcuda::wmma::mma_sync(sums[c], a, b, sums[c]);
      }
    }
    float* const stage = static_cast<float*>(staging);
    __syncwarp();  // what was staged before has been read
#pragma unroll
    for (int c = 0; c < cols / 16; ++c) {
      nvcuda::wmma::store_matrix_sync(stage + 16 * c, sums[c], staging_stride, nvcuda::wmma::mem_row_major);
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < lane_rows; ++i) {
#pragma unroll
      for (int j = 0; j < lane_cols; j += 4) {
        const float4 x4 = read4(stage + row(i) * staging_stride + column(j));
        out[i][j] = x4.x, out[i][j + 1] = x4.y, out[i][j + 2] = x4.z, out[i][j + 3] = x4.w;
      }
    }
  }

  /// Σ P M over tiles, [16, width].
  struct Sum {
    static constexpr int parts = D / 16;
    Sums at[parts];
    __device__ Sum() {
#pragma unroll
      for (Sums& sum : at) nvcuda::wmma::fill_fragment(sum, 0.0f);
    }
    __device__ void add(const float (&p)[lane_rows][lane_cols], const T* m, int live, void* staging) {
      T* const stage = static_cast<T*>(staging);
      __syncwarp();  // what was staged before has been read
#pragma unroll
      for (int i = 0; i < lane_rows; ++i) {
#pragma unroll
        for (int j = 0; j < lane_cols; j += 4) {
          write4(stage + row(i) * staging_stride + column(j),
                 make_float4(p[i][j], p[i][j + 1], p[i][j + 2], p[i][j + 3]));
        }
      }
      __syncwarp();
#pragma unroll
      for (int k = 0; k < cols; k += 16) {
        if (k >= live) break;
        Rows a;
        load(a, stage + k, staging_stride);
#pragma unroll
        for (int c = 0; c < parts; ++c) {
          Columns<nvcuda::wmma::row_major> b;
          load(b, m + k * stride + 16 * c, stride);
          nvcuda::wmma::mma_sync(at[c], a, b, at[c]);
        }
      }
    }
    __device__ void scale(const float (&factor)[lane_rows], void* staging) {
      bool any = false;
      for (int i = 0; i < lane_rows; ++i) any = any || factor[i] != 1;
      if (!__any_sync(whole_warp, any)) return;
      staged<true>(staging, [&](int i, int, float* x) {
        const float4 v = read4(x);
        write4(x, make_float4(v.x * factor[i], v.y * factor[i], v.z * factor[i], v.w * factor[i]));
      });
    }
    /// f(i, column, four neighbours) for all that this lane has of the rows row(i).
    template <class F>
    __device__ void each(void* staging, F f) {
      staged<false>(staging, [&](int i, int c, float* x) { f(i, c, read4(x)); });
    }

   private:
    /// f(i, column, where four neighbours are staged), cols columns at a time; `back`: what f wrote there is taken.
    template <bool back, class F>
    __device__ void staged(void* staging, F f) {
      float* const stage = static_cast<float*>(staging);
      constexpr int at_once = D < cols ? D : cols;
#pragma unroll
      for (int first = 0; first < D; first += at_once) {
        __syncwarp();  // what was staged before has been read
#pragma unroll
        for (int c = 0; c < at_once; c += 16) {
          nvcuda::wmma::store_matrix_sync(stage + c, at[(first + c) / 16], staging_stride, nvcuda::wmma::mem_row_major);
        }
        __syncwarp();
#pragma unroll
        for (int i = 0; i < lane_rows; ++i) {
#pragma unroll
          for (int j = 0; j < at_once / 8; j += 4) {
            f(i, first + column(j), stage + row(i) * staging_stride + column(j));
          }
        }
        if constexpr (back) {
          __syncwarp();
#pragma unroll
          for (int c = 0; c < at_once; c += 16) {
            nvcuda::wmma::load_matrix_sync(at[(first + c) / 16], stage + c, staging_stride,
                                           nvcuda::wmma::mem_row_major);
          }
        }
      }
    }
  };
};

}  // namespace kernels::tiled
