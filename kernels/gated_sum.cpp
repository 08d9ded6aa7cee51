#include "kernels/gated_sum.h"

#include <algorithm>

namespace kernels {
namespace {

constexpr int64_t run = 1024;

/// body(first, n) for runs that stay in the nearest cache while all parts are gone through; shared out to the threads.
template <class F>
void for_runs(Cpu cpu, int64_t n, int64_t cost, const F& body) {
  cpu.parallel((n + run - 1) / run, cost * run, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin * run; first < std::min(end * run, n); first += run)
      body(first, std::min(run, n - first));
  });
}

template <class F>
void with_gate(Activation gate, const F& f) {
  gate == Activation::silu ? f(Silu()) : f(Sigmoid());
}

}  // namespace

template <class T>
void gated_sum(Cpu cpu, Activation gate, T share, const T* c, const T* const* a, const T* const* parts, int64_t count,
               T* y, int64_t n) {
  with_gate(gate, [&](auto function) {
    for_runs(cpu, n, 16 * (1 + count), [=](int64_t first, int64_t width) {
      const OneThread team;
      self_gated_run<decltype(function)>(team, share, c + first, y + first, width);
      for (int64_t k = 0; k < count; ++k) add_gated_run(team, a[k] + first, parts[k] + first, y + first, width);
    });
  });
}

template <class T>
void gated_sum_backward(Cpu cpu, Activation gate, T share, const T* c, const T* const* a, const T* const* parts,
                        int64_t count, const T* dy, Grad<T> dc, const Grad<T>* da, const Grad<T>* dparts, int64_t n) {
  with_gate(gate, [&](auto function) {
    for_runs(cpu, n, 32 * (1 + count), [=](int64_t first, int64_t width) {
      const OneThread team;
      const T* const d = dy + first;
      if (dc) self_gated_backward_run<decltype(function)>(team, share, c + first, d, dc.at(first), width);
      T sigma[run];
      for (int64_t k = 0; k < count; ++k) {
        team.each(width, [&sigma, from = a[k] + first](int64_t i) { sigma[i] = kernels::sigmoid(from[i]); });
        gated_backward_run(team, sigma, parts[k] + first, d, row_of(da[k], first, 1), row_of(dparts[k], first, 1),
                           width);
      }
    });
  });
}

#define ACE_INSTANTIATE(T)                                                                                            \
  template void gated_sum(Cpu, Activation, T, const T*, const T* const*, const T* const*, int64_t, T*, int64_t);      \
  template void gated_sum_backward(Cpu, Activation, T, const T*, const T* const*, const T* const*, int64_t, const T*, \
                                   Grad<T>, const Grad<T>*, const Grad<T>*, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)

}  // namespace kernels
