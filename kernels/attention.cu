#include "kernels/attention.h"

#include "kernels/attention_fma.h"
#include "kernels/attention_plain.h"
#include "kernels/attention_step.h"
#include "kernels/attention_wmma.h"

namespace kernels {
namespace {

/// The engine for T and head width D. Where sequences have 16 rows or less on average, as a decoder's do, tiles are
/// low.
template <class T, int D, bool low>
struct EngineOf {
  using type = tiled::Wmma<T, D, low ? 1 : 4>;
};
template <int D, bool low>
struct EngineOf<float, D, low> {
  using type = tiled::Fma<D, low ? 1 : D == 128 ? 2 : 4>;
};

/// Calls f(std::type_identity<Engine>) for tiles of `rows` rows altogether, or says that no engine does this.
template <class T, class F>
bool with_engine(const AttentionShape& s, int64_t rows, const F& f) {
  const auto of_width = [&](auto width) {
    if (rows <= 16 * s.sequences) {
      f(std::type_identity<typename EngineOf<T, decltype(width)::value, true>::type>());
    } else {
      f(std::type_identity<typename EngineOf<T, decltype(width)::value, false>::type>());
    }
    return true;
  };
  if constexpr (std::is_same_v<T, float> || tiled::Factor<T>::exists) {
    if (std::is_same_v<T, bf16> && Cuda::capability() < 80) return false;
    if (s.width == 32) return of_width(std::integral_constant<int, 32>());
    if (s.width == 64) return of_width(std::integral_constant<int, 64>());
    if (s.width == 128) return of_width(std::integral_constant<int, 128>());
  }
  return false;
}

}  // namespace

template <class T>
void attention_plain(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v, T* o,
                     Accumulator<T>* lse) {
  launch(plain::forward_kernel<T>, blocks_for(s.q_rows * s.heads, Warp::warps), Warp::threads, 0, cuda.stream(), s, q,
         k, v, o, lse);
}

template <class T>
void attention_backward_plain(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v,
                              const Accumulator<T>* lse, const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv) {
  using A = Accumulator<T>;
  A* const delta = static_cast<A*>(cuda.scratch(0, s.q_rows * s.heads * int64_t(sizeof(A))));
  launch(plain::queries_kernel<T>, blocks_for(s.q_rows * s.heads, Warp::warps), Warp::threads, 0, cuda.stream(), s, q,
         k, v, lse, d_o, dq, delta);
  launch(plain::keys_kernel<T>, blocks_for(s.k_rows * s.heads, Warp::warps), Warp::threads, 0, cuda.stream(), s, q, k,
         v, lse, delta, d_o, dk, dv);
}

template <class T>
void attention(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v, T* o, Accumulator<T>* lse) {
  const bool tiled = with_engine<T>(s, s.q_rows, [&]<class E>(std::type_identity<E>) {
    launch(tiled::forward_kernel<E, T>, tiled::tiles_for(s, s.q_rows, E::rows), E::threads, tiled::shared_bytes<E>(1),
           cuda.stream(), s, q, k, v, o, lse);
  });
  if (!tiled) attention_plain(cuda, s, q, k, v, o, lse);
}

template <class T>
void attention_backward(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v, const T* o,
                        const Accumulator<T>* lse, const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv) {
  const auto delta = [&] { return static_cast<float*>(cuda.scratch(0, s.q_rows * s.heads * int64_t(sizeof(float)))); };
  const auto queries = [&]<class E>(std::type_identity<E>) {
    if (!dq && !dk) return;
    launch(tiled::queries_kernel<E, T>, tiled::tiles_for(s, s.q_rows, E::rows), E::threads, tiled::shared_bytes<E>(2),
           cuda.stream(), s, q, k, v, o, lse, d_o, dq, delta());
  };
  const auto keys = [&]<class E>(std::type_identity<E>) {
    if (!dk && !dv) return;
    launch(tiled::keys_kernel<E, T>, tiled::tiles_for(s, s.k_rows, E::rows), E::threads, tiled::shared_bytes<E>(2),
           cuda.stream(), s, q, k, v, lse, delta(), d_o, dk, dv);
  };
  const bool tiled = with_engine<T>(s, s.q_rows, queries) && with_engine<T>(s, s.k_rows, keys);
  if (!tiled) attention_backward_plain(cuda, s, q, k, v, lse, d_o, dq, dk, dv);
}

template <class T>
void attention_step(Cuda cuda, int64_t rows, int64_t heads, int64_t width, int64_t positions, const int32_t* at,
                    const T* q, const T* const* k, const T* const* v, T* o) {
  using A = Accumulator<T>;
  constexpr int64_t size = tiled::Vector<T>::size;
  const int64_t d = heads * width, group = width / size;
  const bool aligned = (reinterpret_cast<uintptr_t>(q) | reinterpret_cast<uintptr_t>(o)) % 16 == 0;
  if (aligned && width % size == 0 && group <= warp_lanes && (group & (group - 1)) == 0) {
    launch(tiled::step_kernel<T>, element_blocks(rows * d / size), Grid::threads, 0, cuda.stream(), rows, d, group,
           A(1) / sqrt(A(width)), positions, at, q, k, v, o);
  } else {
    launch(plain::step_kernel<T>, blocks_for(rows * heads, Warp::warps), Warp::threads, 0, cuda.stream(), rows, heads,
           width, positions, at, q, k, v, o);
  }
}

#define ACE_INSTANTIATE(T)                                                                                          \
  template void attention(Cuda, const AttentionShape&, const T*, const T*, const T*, T*, Accumulator<T>*);          \
  template void attention_backward(Cuda, const AttentionShape&, const T*, const T*, const T*, const T*,             \
                                   const Accumulator<T>*, const T*, Grad<T>, Grad<T>, Grad<T>);                     \
  template void attention_step(Cuda, int64_t, int64_t, int64_t, int64_t, const int32_t*, const T*, const T* const*, \
                               const T* const*, T*);                                                                \
  template void attention_plain(Cuda, const AttentionShape&, const T*, const T*, const T*, T*, Accumulator<T>*);    \
  template void attention_backward_plain(Cuda, const AttentionShape&, const T*, const T*, const T*,                 \
                                         const Accumulator<T>*, const T*, Grad<T>, Grad<T>, Grad<T>);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
