#include "kernels/dropout.h"

#include "autograd/functions.h"

namespace autograd {

using tensor::check;
using tensor::dispatch;
using tensor::floating;

namespace {
/// The mask is applied the same way forward and backward.
void apply(const DropoutSite& site, const Tensor& x, const auto& into) {
  dispatch(floating, x, [&](auto backend, auto type) {
    using T = decltype(type);
    const kernels::Grad<T> y = into(type);
    if (site.mask.defined()) {
      kernels::dropout_mask(backend, x.data<T>(), site.mask.data<uint8_t>(), y, x.elements(), site.rate);
    } else {
      const kernels::DropoutKey key{site.seed, site.step};
      kernels::dropout(backend, x.data<T>(), y, x.elements(), site.rate, &key, site.site);
    }
  });
}
}  // namespace

/// y = x ⊙ keep / (1 − rate);  dx = dy ⊙ keep / (1 − rate), with the same mask computed anew (Srivastava et al. 2014)
Variable dropout(const Variable& x, const DropoutSite& site) {
  check(site.rate >= 0 && site.rate < 1, "dropout: expected a rate in [0, 1), found {}", site.rate);
  check(!site.mask.defined() || site.mask.elements() == x.elements(), "dropout: mask {} for x {}", site.mask.shape(),
        x.shape());
  if (site.rate == 0) return x;
  Tensor y = empty_like(x.value());
  apply(site, x.value(), [&](auto type) { return kernels::Grad<decltype(type)>{y.data<decltype(type)>()}; });
  return record(Op::dropout, y, {x}, [site](const Tensor& dy, Gradients dx) {
    apply(site, dy, [&](auto type) { return dx[0].into<decltype(type)>(); });
  });
}

}  // namespace autograd
