#pragma once
#include <cstdint>
#include <string>
#include <type_traits>

#include "tests/simt/cuda_bf16.h"
#include "tests/simt/cuda_fp16.h"
#include "tests/simt/cuda_runtime.h"

/// Products of small matrices by a warp. Which element lies where in the lanes' fragments is nobody's business on a
/// GPU, and here it is an order that no kernel could have guessed.
namespace nvcuda::wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  static constexpr bool is_a = std::is_same_v<Use, matrix_a>, is_b = std::is_same_v<Use, matrix_b>;
  static constexpr int rows = is_b ? K : M, cols = is_a ? K : N, elements = rows * cols;
  // As on a V100, two lanes have each element of a factor.
  static constexpr int copies = is_a || is_b ? 2 : 1, num_elements = copies * elements / 32;
  using element_type = T;
  T x[num_elements];
  /// The element (row · cols + column) that stands in x[i] of a lane.
  static constexpr int element(int lane, int i) {
    const unsigned slot = unsigned(i * 32 + lane);
    return int((slot * (is_a ? 167u : is_b ? 91u : 213u) + 45u) % unsigned(elements));
  }
};

/// What a lane brings to a product: its fragments, and how to read and write them as numbers.
struct Part {
  const void *a, *b, *c;
  void* d;
};

/// x[i] as a number; of a copy, since what converts is instrumented, and would take this for an access by one lane.
template <class F>
__attribute__((no_sanitize("address", "thread"))) float number(const void* fragment, int i) {
  const typename F::element_type copy = static_cast<const F*>(fragment)->x[i];
  return float(copy);
}

/// d = a b + c in f32, once for the warp.
template <class D, class A, class B, class C>
__attribute__((no_sanitize("address", "thread"))) void multiply(void* const* all, uint32_t) {
  constexpr int m = A::rows, k = A::cols, n = B::cols;
  float a[m * k], b[k * n], sum[m * n];
  for (int l = 0; l < 32; ++l) {
    const auto& part = *static_cast<const Part*>(all[l]);
    for (int i = 0; i < A::num_elements; ++i) a[A::element(l, i)] = number<A>(part.a, i);
    for (int i = 0; i < B::num_elements; ++i) b[B::element(l, i)] = number<B>(part.b, i);
    for (int i = 0; i < C::num_elements; ++i) sum[C::element(l, i)] = number<C>(part.c, i);
  }
  for (int r = 0; r < m; ++r) {
    for (int j = 0; j < k; ++j) {
      for (int c = 0; c < n; ++c) sum[r * n + c] += a[r * k + j] * b[j * n + c];
    }
  }
  for (int l = 0; l < 32; ++l) {
    auto& d = *static_cast<D*>(static_cast<const Part*>(all[l])->d);
    for (int i = 0; i < D::num_elements; ++i) d.x[i] = typename D::element_type(sum[D::element(l, i)]);
  }
}

/// What the CUDA C++ programming guide demands of a matrix in memory.
inline void check_matrix(const char* what, const void* p, unsigned ld, size_t size, const simt::Where& where) {
  if (reinterpret_cast<uintptr_t>(p) % 32 != 0) {
    simt::fail(std::string(what) + ": the pointer is not at a multiple of 32 bytes (256 bits)", where);
  }
  if (ld * size % 16 != 0) {
    simt::fail(std::string(what) + ": the leading dimension, " + std::to_string(ld) + ", is not a multiple of " +
                   std::to_string(16 / size),
               where);
  }
}

template <class Use, int M, int N, int K, class T, class Layout>
void fill_fragment(fragment<Use, M, N, K, T, Layout>& f, std::type_identity_t<T> value) {
  for (T& x : f.x) x = value;
}

namespace detail {
template <class F, class T>
void load(F& f, const T* p, unsigned ld, bool rows_lie, const simt::Where& where) {
  check_matrix("load_matrix_sync", p, ld, sizeof(T), where);
  simt::warp("load_matrix_sync", 0xffffffffu, nullptr, nullptr, false, where);
  for (int i = 0; i < F::num_elements; ++i) {
    const int e = F::element(simt::lane(), i), r = e / F::cols, c = e % F::cols;
    f.x[i] = rows_lie ? p[size_t(r) * ld + c] : p[size_t(c) * ld + r];
  }
}
}  // namespace detail

template <class Use, int M, int N, int K, class T, class Layout>
void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const T* p, unsigned ld,
                      simt::Where where = simt::Where::current()) {
  detail::load(f, p, ld, std::is_same_v<Layout, row_major>, where);
}
template <int M, int N, int K, class T>
void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* p, unsigned ld, layout_t layout,
                      simt::Where where = simt::Where::current()) {
  detail::load(f, p, ld, layout == mem_row_major, where);
}

template <int M, int N, int K, class T>
void store_matrix_sync(T* p, const fragment<accumulator, M, N, K, T>& f, unsigned ld, layout_t layout,
                       simt::Where where = simt::Where::current()) {
  using F = fragment<accumulator, M, N, K, T>;
  check_matrix("store_matrix_sync", p, ld, sizeof(T), where);
  simt::warp("store_matrix_sync", 0xffffffffu, nullptr, nullptr, false, where);
  for (int i = 0; i < F::num_elements; ++i) {
    const int e = F::element(simt::lane(), i), r = e / F::cols, c = e % F::cols;
    p[layout == mem_row_major ? size_t(r) * ld + c : size_t(c) * ld + r] = f.x[i];
  }
}

template <int M, int N, int K, class T, class LayoutA, class LayoutB, class D, class C>
void mma_sync(fragment<accumulator, M, N, K, D>& d, const fragment<matrix_a, M, N, K, T, LayoutA>& a,
              const fragment<matrix_b, M, N, K, T, LayoutB>& b, const fragment<accumulator, M, N, K, C>& c,
              simt::Where where = simt::Where::current()) {
  Part mine{&a, &b, &c, &d};
  simt::warp("mma_sync", 0xffffffffu, &mine,
             multiply<fragment<accumulator, M, N, K, D>, fragment<matrix_a, M, N, K, T, LayoutA>,
                      fragment<matrix_b, M, N, K, T, LayoutB>, fragment<accumulator, M, N, K, C>>,
             false, where);
}

}  // namespace nvcuda::wmma
