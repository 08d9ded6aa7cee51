#pragma once
#include "autograd/functions.h"

/// What the ops that drop have in common.
namespace autograd {

/// Fails unless the site's rate is in [0, 1) and its mask, if given, has x's size.
void check_site(std::string_view op, const DropoutSite& site, const Variable& x);
/// The site as kernels take it; it points into `site`.
inline kernels::Drop drop_of(const DropoutSite& site) {
  return {site.rate, &site.key, site.site, site.mask.defined() ? site.mask.data<uint8_t>() : nullptr};
}

}  // namespace autograd
