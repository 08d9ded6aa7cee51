#include "nn/pass.h"

namespace nn {

Variable Pass::drop(const Variable& x) {
  if (rate_ == 0) return x;
  autograd::DropoutSite site{rate_, seed_, step_, site_++, {}};
  if (given_) {
    tensor::check(site.site < masks_.size(), "dropout: {} masks given, one more site found", masks_.size());
    site.mask = masks_[site.site];
  }
  return autograd::dropout(x, site);
}

}  // namespace nn
