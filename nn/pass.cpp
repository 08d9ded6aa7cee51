#include "nn/pass.h"

namespace nn {

autograd::DropoutSite Pass::site() {
  if (rate_ == 0) return {};
  autograd::DropoutSite site{rate_, key_, site_++, {}, key_there_};
  if (given_) {
    tensor::check(site.site < masks_.size(), "dropout: {} masks given, one more site found", masks_.size());
    site.mask = masks_[site.site];
  }
  return site;
}

}  // namespace nn
