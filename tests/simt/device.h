#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "tests/simt/runner.h"

/// The language of device code, as plain C++.
#define __global__ __attribute__((unused))
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__  // also the standard library's word within attributes
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((noinit))

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

// Barriers.
inline void __syncthreads(simt::Where where = simt::Where::current()) { simt::barrier("__syncthreads", false, where); }
inline int __syncthreads_count(int predicate, simt::Where where = simt::Where::current()) {
  return simt::barrier("__syncthreads_count", predicate != 0, where);
}
inline int __syncthreads_or(int predicate, simt::Where where = simt::Where::current()) {
  return simt::barrier("__syncthreads_or", predicate != 0, where) > 0;
}
inline int __syncthreads_and(int predicate, simt::Where where = simt::Where::current()) {
  return simt::barrier("__syncthreads_and", predicate == 0, where) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, simt::Where where = simt::Where::current()) {
  simt::warp("__syncwarp", mask, nullptr, nullptr, true, where);
}
inline void __threadfence() { simt::fence(); }
inline void __threadfence_block() { simt::fence(); }
[[noreturn]] inline void __trap(simt::Where where = simt::Where::current()) { simt::fail("__trap", where); }

namespace simt {

/// What a lane brings to a shuffle or a vote, and takes from it.
struct Exchange {
  uint64_t value;
  int source;
  uint64_t result;
};
/// Each lane's result is the value of its source; all bits 1 when that lane is not in the mask (undefined on a GPU).
void shuffle(void* const* all, uint32_t mask);
/// Each lane's result is the mask of the lanes whose value is not 0.
void vote(void* const* all, uint32_t mask);

template <class T>
T shuffled(const char* what, unsigned mask, T value, int source, const Where& where) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  Exchange mine{0, source, 0};
  __builtin_memcpy(&mine.value, &value, sizeof value);
  warp(what, mask, &mine, shuffle, false, where);
  __builtin_memcpy(&value, &mine.result, sizeof value);
  return value;
}
inline uint32_t voted(const char* what, unsigned mask, bool predicate, const Where& where) {
  Exchange mine{predicate, 0, 0};
  warp(what, mask, &mine, vote, false, where);
  return uint32_t(mine.result);
}

}  // namespace simt

// Shuffles: within groups of `width` lanes; a source outside the group is the lane itself.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, simt::Where where = simt::Where::current()) {
  return simt::shuffled("__shfl_sync", mask, value, (simt::lane() & -width) | (source & (width - 1)), where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, simt::Where where = simt::Where::current()) {
  const int l = simt::lane(), from = l - int(by);
  return simt::shuffled("__shfl_up_sync", mask, value, from < (l & -width) ? l : from, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, simt::Where where = simt::Where::current()) {
  const int l = simt::lane(), from = l + int(by);
  return simt::shuffled("__shfl_down_sync", mask, value, from >= (l & -width) + width ? l : from, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32, simt::Where where = simt::Where::current()) {
  const int l = simt::lane(), from = l ^ with;
  return simt::shuffled("__shfl_xor_sync", mask, value, from >= (l & -width) + width ? l : from, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, simt::Where where = simt::Where::current()) {
  return simt::voted("__ballot_sync", mask, predicate != 0, where);
}
inline int __any_sync(unsigned mask, int predicate, simt::Where where = simt::Where::current()) {
  return simt::voted("__any_sync", mask, predicate != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, simt::Where where = simt::Where::current()) {
  return simt::voted("__all_sync", mask, predicate != 0, where) == mask;
}

// Atomics on integers: relaxed, as on a GPU, unless the thread has called __threadfence() before.
namespace simt {

template <class T>
concept Integer32or64 = std::is_integral_v<T> &&(sizeof(T) == 4 || sizeof(T) == 8);
template <class T>
using Plain = std::type_identity_t<T>;

template <Integer32or64 T, class F>
T atomically(T* address, F f) {
  T old = __atomic_load_n(address, __ATOMIC_RELAXED);
  const bool ordered = fenced();
  while (!(ordered ? __atomic_compare_exchange_n(address, &old, f(old), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
                   : __atomic_compare_exchange_n(address, &old, f(old), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))) {
  }
  return old;
}

}  // namespace simt

template <simt::Integer32or64 T>
T atomicAdd(T* address, simt::Plain<T> value) {
  return simt::atomically(address,
                          [=](T old) { return T(std::make_unsigned_t<T>(old) + std::make_unsigned_t<T>(value)); });
}
template <simt::Integer32or64 T>
T atomicSub(T* address, simt::Plain<T> value) {
  return simt::atomically(address,
                          [=](T old) { return T(std::make_unsigned_t<T>(old) - std::make_unsigned_t<T>(value)); });
}
template <simt::Integer32or64 T>
T atomicMin(T* address, simt::Plain<T> value) {
  return simt::atomically(address, [=](T old) { return value < old ? value : old; });
}
template <simt::Integer32or64 T>
T atomicMax(T* address, simt::Plain<T> value) {
  return simt::atomically(address, [=](T old) { return value > old ? value : old; });
}
template <simt::Integer32or64 T>
T atomicOr(T* address, simt::Plain<T> value) {
  return simt::atomically(address, [=](T old) { return old | value; });
}
template <simt::Integer32or64 T>
T atomicAnd(T* address, simt::Plain<T> value) {
  return simt::atomically(address, [=](T old) { return old & value; });
}
template <simt::Integer32or64 T>
T atomicExch(T* address, simt::Plain<T> value) {
  return simt::atomically(address, [=](T) { return value; });
}
template <simt::Integer32or64 T>
T atomicCAS(T* address, simt::Plain<T> expected, simt::Plain<T> value) {
  return simt::atomically(address, [=](T old) { return old == expected ? value : old; });
}

// Bits and numbers.
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __clz(int x) { return std::countl_zero(unsigned(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }

// Loads and stores that say how they are cached.
template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, std::type_identity_t<T> value) {
  *p = value;
}
template <class T>
void __stcg(T* p, std::type_identity_t<T> value) {
  *p = value;
}
