#include "kernels/attention.h"

#include "kernels/attention_plain.h"
#include "kernels/attention_step.h"
#include "kernels/attention_tiled.h"

namespace kernels {
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
  if (delta == nullptr) return;
  launch(plain::queries_kernel<T>, blocks_for(s.q_rows * s.heads, Warp::warps), Warp::threads, 0, cuda.stream(), s, q,
         k, v, lse, d_o, dq, delta);
  launch(plain::keys_kernel<T>, blocks_for(s.k_rows * s.heads, Warp::warps), Warp::threads, 0, cuda.stream(), s, q, k,
         v, lse, delta, d_o, dk, dv);
}

template <class T>
void attention(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v, T* o, Accumulator<T>* lse) {
  if constexpr (!std::is_same_v<T, double>) {
    if (tiled::forward(cuda, s, q, k, v, o, lse)) return;
  }
  attention_plain(cuda, s, q, k, v, o, lse);
}

template <class T>
void attention_backward(Cuda cuda, const AttentionShape& s, const T* q, const T* k, const T* v, const T* o,
                        const Accumulator<T>* lse, const T* d_o, Grad<T> dq, Grad<T> dk, Grad<T> dv) {
  if constexpr (!std::is_same_v<T, double>) {
    if (tiled::backward(cuda, s, q, k, v, o, lse, d_o, dq, dk, dv)) return;
  }
  attention_backward_plain(cuda, s, q, k, v, lse, d_o, dq, dk, dv);
}

template <class T>
void attention_step(Cuda cuda, int64_t rows, int64_t heads, int64_t width, int64_t positions, const int32_t* at,
                    const T* q, const T* const* k, const T* const* v, T* o) {
  using A = Accumulator<T>;
  constexpr int64_t size = pack_size<T>;
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
