#include "kernels/dropout.h"

#include "autograd/drop.h"
#include "autograd/functions.h"

namespace autograd {

using tensor::activations;
using tensor::check;
using tensor::dispatch;

DropoutSite site_for(std::string_view op, const DropoutSite& site, const Variable& x) {
  check(site.rate >= 0 && site.rate < 1, "{}: expected a rate in [0, 1), found {}", op, site.rate);
  check(!site.mask.defined() || site.mask.elements() == x.elements(), "{}: mask {} for x {}", op, site.mask.shape(),
        x.shape());
  DropoutSite result = site;
  const tensor::Device device = x.value().device();
  result.mask = site.mask.to(device);
  if (site.rate > 0 && device != tensor::Device::cpu && !site.key_there.defined()) {
    result.key_there = key_tensor(site.key).to(device);
  }
  return result;
}

Tensor key_tensor(const kernels::DropoutKey& key) {
  return Tensor::of<int64_t>({2}, {int64_t(key.seed), int64_t(key.step)});
}

/// y = x ⊙ keep / (1 − rate);  dx = dy ⊙ keep / (1 − rate), with the same mask computed anew (Srivastava et al. 2014)
Variable dropout(const Variable& x, const DropoutSite& given) {
  const DropoutSite site = site_for("dropout", given, x);
  if (site.rate == 0) return x;
  Tensor y = empty_like(x.value());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::dropout(backend, drop_of(site), x.data<T>(), kernels::Grad<T>{y.data<T>()}, y.elements());
  });
  return record(Op::dropout, y, {x}, [site](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::dropout(backend, drop_of(site), dy.data<T>(), dx[0].into<T>(), dy.elements());
    });
  });
}

/// y = max(x, 0) ⊙ keep / (1 − rate);  dx = [y > 0] dy / (1 − rate): y alone is kept, and shows the mask
Variable relu_dropout(const Variable& x, const DropoutSite& given) {
  const DropoutSite site = site_for("relu_dropout", given, x);
  Tensor y = empty_like(x.value());
  dispatch(activations, y, [&](auto backend, auto type) {
    using T = decltype(type);
    kernels::relu_dropout(backend, drop_of(site), x.data<T>(), y.data<T>(), y.elements());
  });
  return record(Op::relu_dropout, y, {x}, [y, site](const Tensor& dy, Gradients dx) {
    dispatch(activations, dy, [&](auto backend, auto type) {
      using T = decltype(type);
      kernels::relu_dropout_backward(backend, drop_of(site), y.data<T>(), dy.data<T>(), dx[0].into<T>(), dy.elements());
    });
  });
}

}  // namespace autograd
