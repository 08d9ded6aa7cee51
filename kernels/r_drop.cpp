#include "kernels/r_drop.h"

#include "kernels/rows.h"

namespace kernels {

template <class T>
void r_drop(Cpu cpu, const T* logits, const int32_t* targets, T omega, T* loss, T* nll, T* kl, T* kept, int64_t pairs,
            int64_t cols) {
  for_rows(cpu, pairs, 80 * cols, [=](auto team, int64_t r) {
    const auto row = r_drop_row(team, logits + r * cols, logits + (pairs + r) * cols, targets[r], cols);
    T* const to = kept + 4 * r;
    to[0] = row.kept.log_za, to[1] = row.kept.log_zb, to[2] = row.kept.pl, to[3] = row.kept.ql;
    nll[r] = row.nll, kl[r] = row.kl, loss[r] = row.nll + omega * row.kl;
  });
}

template <class T>
void r_drop_backward(Cpu cpu, const T* logits, const int32_t* targets, T omega, const T* kept, const T* dloss,
                     Grad<T> dlogits, int64_t pairs, int64_t cols) {
  for_rows(cpu, pairs, 40 * cols, [=](auto team, int64_t r) {
    const T* const from = kept + 4 * r;
    const int64_t a = r * cols, b = (pairs + r) * cols;
    r_drop_backward_row(team, logits + a, logits + b, targets[r], RDropKept<T>{from[0], from[1], from[2], from[3]},
                        omega, dloss[r], dlogits.at(a), dlogits.at(b), cols);
  });
}

#define ACE_INSTANTIATE(T)                                                                  \
  template void r_drop(Cpu, const T*, const int32_t*, T, T*, T*, T*, T*, int64_t, int64_t); \
  template void r_drop_backward(Cpu, const T*, const int32_t*, T, const T*, const T*, Grad<T>, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
