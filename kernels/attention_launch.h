#pragma once
#include "kernels/attention_tile.h"
#include "kernels/attention_tiled.h"

/// Starts the tiled kernels; what the file of a type includes.
namespace kernels::tiled {

/// The engine for T and head width D; `low`: for 16 rows a sequence or less.
template <class T, int D, bool low>
struct EngineOf;

/// Calls f(std::type_identity<Engine>, warps) for tiles of `rows` rows altogether. Tiles are low where sequences have
/// few rows on average: a decoder's have a few.
template <class T, class F>
bool with_engine(const AttentionShape& s, int64_t rows, const F& f) {
  const int64_t average = s.sequences == 0 ? 0 : (rows + s.sequences - 1) / s.sequences;
  const auto call = [&]<class E>(std::type_identity<E> engine) { f(engine, E::warps_for(average)); };
  const auto of_width = [&](auto width) {
    constexpr int D = decltype(width)::value;
    if (average <= 16) {
      call(std::type_identity<typename EngineOf<T, D, true>::type>());
    } else {
      call(std::type_identity<typename EngineOf<T, D, false>::type>());
    }
    return true;
  };
  if (std::is_same_v<T, bf16> && !Cuda::has_bf16()) return false;
  if (s.width == 32) return of_width(std::integral_constant<int, 32>());
  if (s.width == 64) return of_width(std::integral_constant<int, 64>());
  if (s.width == 128) return of_width(std::integral_constant<int, 128>());
  return false;
}

template <class T>
bool forward(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v, T* o, float* lse) {
  return with_engine<T>(s, s.q_rows, [&]<class E>(std::type_identity<E>, int warps) {
    launch(forward_kernel<E, T>, tiles_for(s, s.q_rows, warps * E::warp_rows), warps * warp_lanes,
           shared_bytes<E>(warps, 1), cuda.stream(), s, q, k, v, o, lse);
  });
}

template <class T>
bool backward(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v, const T* o, const float* lse,
              const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv) {
  float* const delta = static_cast<float*>(cuda.scratch(0, s.q_rows * s.heads * int64_t(sizeof(float))));
  if (delta == nullptr) return true;
  const auto queries = [&]<class E>(std::type_identity<E>, int warps) {
    if (!dq && !dk) return;
    launch(queries_kernel<E, T>, tiles_for(s, s.q_rows, warps * E::warp_rows), warps * warp_lanes,
           shared_bytes<E>(warps, 2), cuda.stream(), s, q, k, v, o, lse, d_o, dq, delta);
  };
  const auto keys = [&]<class E>(std::type_identity<E>, int warps) {
    if (!dk && !dv) return;
    launch(keys_kernel<E, T>, tiles_for(s, s.k_rows, warps * E::warp_rows), warps * warp_lanes,
           shared_bytes<E>(warps, 2), cuda.stream(), s, q, k, v, lse, delta, d_o, dk, dv);
  };
  return with_engine<T>(s, s.q_rows, queries) && with_engine<T>(s, s.k_rows, keys);
}

#define ACE_INSTANTIATE_TILES(T)                                                                                      \
  template bool forward(Cuda, const AttentionShape&, const T*, const T*, const T*, T*, float*);                       \
  template bool backward(Cuda, const AttentionShape&, const T*, const T*, const T*, const T*, const float*, const T*, \
                         Grad<T>, Grad<T>, Grad<T>);

}  // namespace kernels::tiled
