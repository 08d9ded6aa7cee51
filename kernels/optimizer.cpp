#include "kernels/optimizer.h"

#include <algorithm>

#include "kernels/team.h"

namespace kernels {
namespace {

/// Elements begin … end − 1 of one tensor.
template <class T>
void adam_range(const AdamFactors<T>& factors, const AdamTensor<T>& t, int64_t begin, int64_t end) {
  OneThread().each(end - begin, [=, parameter = t.parameter + begin, gradient = t.gradient + begin, m = t.m + begin,
                                 v = t.v + begin](int64_t i) {
    T p = parameter[i], mean = m[i], square = v[i];
    adam_element(factors, p, gradient[i], mean, square);
    parameter[i] = p, m[i] = mean, v[i] = square;
  });
}

}  // namespace

template <class T>
void adam(Cpu cpu, const AdamStep* step, const AdamTensor<T>* tensors, int64_t count) {
  if (step->skip) return;
  const AdamFactors<T> factors(*step);
  int64_t total = 0;
  for (int64_t t = 0; t < count; ++t) total += tensors[t].n;
  cpu.parallel(total, 16, [=](int64_t begin, int64_t end) {
    int64_t first = 0;  // of this tensor's elements among all
    for (int64_t t = 0; t < count; first += tensors[t++].n) {
      const int64_t from = std::max(begin - first, int64_t(0)), to = std::min(end - first, tensors[t].n);
      if (from < to) adam_range(factors, tensors[t], from, to);
    }
  });
}

template void adam(Cpu, const AdamStep*, const AdamTensor<float>*, int64_t);
template void adam(Cpu, const AdamStep*, const AdamTensor<double>*, int64_t);

}  // namespace kernels
