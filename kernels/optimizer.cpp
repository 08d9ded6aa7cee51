#include "kernels/optimizer.h"

#include "kernels/rows.h"

namespace kernels {

template <class T>
void adam(Cpu cpu, const AdamStep* step, T* parameter, const T* gradient, T* m, T* v, int64_t n) {
  const AdamFactors<T> factors(*step);
  for_elements(cpu, n, 16, [=](int64_t i) {
    T p = parameter[i], mean = m[i], square = v[i];
    adam_element(factors, p, gradient[i], mean, square);
    parameter[i] = p, m[i] = mean, v[i] = square;
  });
}

template void adam(Cpu, const AdamStep*, float*, const float*, float*, float*, int64_t);
template void adam(Cpu, const AdamStep*, double*, const double*, double*, double*, int64_t);

}  // namespace kernels
