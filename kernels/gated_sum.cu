#include "kernels/gated_sum.h"

#include "kernels/packs.h"

namespace kernels {
namespace {

/// Parts of one launch. A sum of more goes on in further ones; in the usual case memory is passed over once.
constexpr int most_parts = 8;

template <class T>
struct Parts {
  const T *a[most_parts] = {}, *part[most_parts] = {};
  Grad<T> da[most_parts], dpart[most_parts];
  int count = 0;

  /// Parts first … of all, and whether packs of N may be taken from them.
  Parts(const T* const* all_a, const T* const* all_parts, int64_t first, int64_t all)
      : count(int(std::min<int64_t>(all - first, most_parts))) {
    std::copy_n(all_a + first, count, a);
    std::copy_n(all_parts + first, count, part);
  }
  template <int N>
  bool packs_fit() const {
    bool fit = true;
    for (int k = 0; k < count; ++k) {
      fit = fit && kernels::packs_fit<N>(a[k], part[k], da[k].data, dpart[k].data);
    }
    return fit;
  }
};

/// c is null where y already holds what earlier launches summed.
template <class F, int N, class T>
__global__ void gated_sum_kernel(Accumulator<T> share, const T* c, Parts<T> parts, T* y, int64_t n) {
  using A = Accumulator<T>;
  each_pack<N>(1, n, [&](int64_t, int64_t i, auto width) {
    constexpr int size = width.value;
    Values<T, size> sum(c == nullptr ? y + i : c + i);
    if (c != nullptr) {
      for (int j = 0; j < size; ++j) sum.at[j] = share * F::value(sum.at[j]);
    }
    for (int k = 0; k < most_parts; ++k) {
      if (k >= parts.count) break;
      const Values<T, size> a(parts.a[k] + i), part(parts.part[k] + i);
      for (int j = 0; j < size; ++j) sum.at[j] += kernels::sigmoid(a.at[j]) * part.at[j];
    }
    put_pack<size>(Grad<T>{y + i}, [&](int j) { return A(sum.at[j]); });
  });
}

template <class F, int N, class T>
__global__ void gated_sum_backward_kernel(Accumulator<T> share, const T* c, Parts<T> parts, const T* dy, Grad<T> dc,
                                          int64_t n) {
  using A = Accumulator<T>;
  each_pack<N>(1, n, [&](int64_t, int64_t i, auto width) {
    constexpr int size = width.value;
    const Values<T, size> d(dy + i);
    if (dc) {
      const Values<T, size> x(c + i);
      put_pack<size>(dc.at(i), [&](int j) { return share * F::derivative(x.at[j], F::value(x.at[j])) * d.at[j]; });
    }
    for (int k = 0; k < most_parts; ++k) {
      if (k >= parts.count) break;
      Values<T, size> sigma(parts.a[k] + i);
      for (int j = 0; j < size; ++j) sigma.at[j] = kernels::sigmoid(sigma.at[j]);
      if (parts.da[k]) {
        const Values<T, size> part(parts.part[k] + i);
        put_pack<size>(parts.da[k].at(i),
                       [&](int j) { return part.at[j] * sigma.at[j] * (A(1) - sigma.at[j]) * d.at[j]; });
      }
      if (parts.dpart[k]) put_pack<size>(parts.dpart[k].at(i), [&](int j) { return sigma.at[j] * d.at[j]; });
    }
  });
}

template <class F>
void with_gate(Activation gate, const F& f) {
  gate == Activation::silu ? f(Silu()) : f(Sigmoid());
}

}  // namespace

template <class T>
void gated_sum(Cuda cuda, Activation gate, Accumulator<T> share, const T* c, const T* const* a, const T* const* parts,
               int64_t count, T* y, int64_t n) {
  constexpr int most = pack_size<T>;
  for (int64_t first = 0; first == 0 || first < count; first += most_parts, c = nullptr) {
    const Parts<T> here(a, parts, first, count);
    const bool fit = here.template packs_fit<most>() && packs_fit<most>(c, y);
    with_gate(gate, [&](auto function) {
      with_packs<most>(fit, [&](auto size) {
        const PackGrid<size.value> grid(1, n);
        launch(gated_sum_kernel<decltype(function), size.value, T>, grid.blocks, grid.threads, 0, cuda.stream(), share,
               c, here, y, n);
      });
    });
  }
}

template <class T>
void gated_sum_backward(Cuda cuda, Activation gate, Accumulator<T> share, const T* c, const T* const* a,
                        const T* const* parts, int64_t count, const T* dy, Grad<T> dc, const Grad<T>* da,
                        const Grad<T>* dparts, int64_t n) {
  constexpr int most = pack_size<T>;
  for (int64_t first = 0; first == 0 || first < count; first += most_parts, dc.data = nullptr) {
    Parts<T> here(a, parts, first, count);
    std::copy_n(da + first, here.count, here.da);
    std::copy_n(dparts + first, here.count, here.dpart);
    const bool fit = here.template packs_fit<most>() && packs_fit<most>(c, dy, dc.data);
    with_gate(gate, [&](auto function) {
      with_packs<most>(fit, [&](auto size) {
        const PackGrid<size.value> grid(1, n);
        launch(gated_sum_backward_kernel<decltype(function), size.value, T>, grid.blocks, grid.threads, 0,
               cuda.stream(), share, c, here, dy, dc, n);
      });
    });
  }
}

#define ACE_INSTANTIATE(T)                                                                                           \
  template void gated_sum(Cuda, Activation, Accumulator<T>, const T*, const T* const*, const T* const*, int64_t, T*, \
                          int64_t);                                                                                  \
  template void gated_sum_backward(Cuda, Activation, Accumulator<T>, const T*, const T* const*, const T* const*,     \
                                   int64_t, const T*, Grad<T>, const Grad<T>*, const Grad<T>*, int64_t);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
