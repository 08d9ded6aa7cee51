#include "kernels/r_drop.h"

#include "kernels/held_logits.h"

namespace kernels {

/// The row formulas of r_drop.h with the rows in registers.
template <class Base, int slots, class T>
__device__ RDropRow<Accumulator<T>> r_drop_row(Held<Base, T, slots> held, const T* a, const T* b, int32_t target,
                                               int64_t cols) {
  using A = Accumulator<T>;
  typename Held<Base, T, slots>::Row log_p, log_q;
  held.load(a, cols, log_p);
  held.load(b, cols, log_q);
  const auto norm_a = held_log_softmax(held, log_p, cols), norm_b = held_log_softmax(held, log_q, cols);
  const A log_a = log(norm_a.total), log_b = log(norm_b.total);
  const A nll_a = log_a + (norm_a.max - A(a[target])), nll_b = log_b + (norm_b.max - A(b[target]));
  A kl = 0, pl = 0, ql = 0;
  held.slots_of(cols, [&](int s) {
    const A p = exp(log_p[s]), q = exp(log_q[s]), l = log_p[s] - log_q[s];
    kl += (p - q) * l, pl += p * l, ql += q * l;
  });
  kl = held.all_sum(kl), pl = held.all_sum(pl), ql = held.all_sum(ql);
  return {A(0.5) * (nll_a + nll_b), kl, {norm_a.max + log_a, norm_b.max + log_b, pl, ql}};
}

template <class Base, int slots, class T>
__device__ void r_drop_backward_row(Held<Base, T, slots> held, const T* a, const T* b, int32_t target,
                                    RDropKept<Accumulator<T>> kept, Accumulator<T> omega, Accumulator<T> dloss,
                                    Grad<T> da, Grad<T> db, int64_t cols) {
  using A = Accumulator<T>;
  constexpr int width = Held<Base, T, slots>::width;
  held.runs(cols, [&](int, int i) {
    Values<T, width> x(a + i), y(b + i);
    unrolled<width>([&](int k) {
      const A log_p = x.at[k] - kept.log_za, log_q = y.at[k] - kept.log_zb, l = log_p - log_q;
      const A p = exp(log_p), q = exp(log_q), hit = i + k == target ? A(1) : A(0);
      x.at[k] = (A(0.5) * (p - hit) + omega * (p * (l - kept.pl) + p - q)) * dloss;
      y.at[k] = (A(0.5) * (q - hit) + omega * (q * (kept.ql - l) + q - p)) * dloss;
    });
    put_pack<width>(da.at(i), [&](int k) { return x.at[k]; });
    put_pack<width>(db.at(i), [&](int k) { return y.at[k]; });
  });
}

namespace {

template <class Team, class T>
__global__ void r_drop_kernel(const T* logits, const int32_t* targets, Accumulator<T> omega, Accumulator<T>* loss,
                              Accumulator<T>* nll, Accumulator<T>* kl, Accumulator<T>* kept, int64_t pairs,
                              int64_t cols) {
  each_row(Team(), pairs, [=](int64_t r) {
    const auto row = r_drop_row(Team(), logits + r * cols, logits + (pairs + r) * cols, targets[r], cols);
    if (Team::lane() != 0) return;
    Accumulator<T>* const to = kept + 4 * r;
    to[0] = row.kept.log_za, to[1] = row.kept.log_zb, to[2] = row.kept.pl, to[3] = row.kept.ql;
    nll[r] = row.nll, kl[r] = row.kl, loss[r] = row.nll + omega * row.kl;
  });
}

template <class Team, class T>
__global__ void r_drop_backward_kernel(const T* logits, const int32_t* targets, Accumulator<T> omega,
                                       const Accumulator<T>* kept, const Accumulator<T>* dloss, Grad<T> dlogits,
                                       int64_t pairs, int64_t cols) {
  each_row(Team(), pairs, [=](int64_t r) {
    const Accumulator<T>* const from = kept + 4 * r;
    const int64_t a = r * cols, b = (pairs + r) * cols;
    r_drop_backward_row(Team(), logits + a, logits + b, targets[r],
                        RDropKept<Accumulator<T>>{from[0], from[1], from[2], from[3]}, omega, dloss[r], dlogits.at(a),
                        dlogits.at(b), cols);
  });
}

}  // namespace

template <class T>
void r_drop(Cuda cuda, const T* logits, const int32_t* targets, Accumulator<T> omega, Accumulator<T>* loss,
            Accumulator<T>* nll, Accumulator<T>* kl, Accumulator<T>* kept, int64_t pairs, int64_t cols) {
  launch_rows<T>(
      cuda, pairs, cols, packs_fit<pack_size<T>>(logits), [](auto team) { return r_drop_kernel<decltype(team), T>; },
      logits, targets, omega, loss, nll, kl, kept);
}

template <class T>
void r_drop_backward(Cuda cuda, const T* logits, const int32_t* targets, Accumulator<T> omega,
                     const Accumulator<T>* kept, const Accumulator<T>* dloss, Grad<T> dlogits, int64_t pairs,
                     int64_t cols) {
  launch_rows<T>(
      cuda, pairs, cols, packs_fit<pack_size<T>>(logits, dlogits.data),
      [](auto team) { return r_drop_backward_kernel<decltype(team), T>; }, logits, targets, omega, kept, dloss,
      dlogits);
}

#define ACE_INSTANTIATE(T)                                                                               \
  template void r_drop(Cuda, const T*, const int32_t*, Accumulator<T>, Accumulator<T>*, Accumulator<T>*, \
                       Accumulator<T>*, Accumulator<T>*, int64_t, int64_t);                              \
  template void r_drop_backward(Cuda, const T*, const int32_t*, Accumulator<T>, const Accumulator<T>*,   \
                                const Accumulator<T>*, Grad<T>, int64_t, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
