#include "tests/simt/device.h"

namespace simt {

void shuffle(void* const* all, uint32_t mask) {
  for (int l = 0; l < 32; ++l) {
    if ((mask >> l & 1) == 0) continue;
    Exchange& mine = *static_cast<Exchange*>(all[l]);
    const bool given = mine.source >= 0 && mine.source < 32 && (mask >> mine.source & 1) != 0;
    mine.result = given ? static_cast<Exchange*>(all[mine.source])->value : ~uint64_t(0);
  }
}

void vote(void* const* all, uint32_t mask) {
  uint64_t votes = 0;
  for (int l = 0; l < 32; ++l) {
    if (mask >> l & 1) votes |= uint64_t(static_cast<Exchange*>(all[l])->value != 0) << l;
  }
  for (int l = 0; l < 32; ++l) {
    if (mask >> l & 1) static_cast<Exchange*>(all[l])->result = votes;
  }
}

}  // namespace simt
