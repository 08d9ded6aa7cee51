#pragma once
#include "autograd/functions.h"

/// What the ops that drop have in common.
namespace autograd {

/// The site with what it has in memory of x's device. Fails unless its rate is in [0, 1) and its mask, if given, has
/// x's size.
DropoutSite site_for(std::string_view op, const DropoutSite& site, const Variable& x);
/// The site as kernels take it; it points into `site`.
inline kernels::Drop drop_of(const DropoutSite& site) {
  static_assert(sizeof(kernels::DropoutKey) == 2 * sizeof(int64_t));
  const void* const there = site.key_there.defined() ? site.key_there.data<int64_t>() : nullptr;
  return {site.rate, there ? static_cast<const kernels::DropoutKey*>(there) : &site.key, site.site,
          site.mask.defined() ? site.mask.data<uint8_t>() : nullptr};
}

}  // namespace autograd
