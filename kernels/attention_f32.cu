#include "kernels/attention_fma.h"
#include "kernels/attention_launch.h"

namespace kernels::tiled {

template <int D, bool low>
struct EngineOf<float, D, low> {
  using type = Fma<D, low ? 1 : D == 128 ? 2 : 4>;
};
ACE_INSTANTIATE_TILES(float)

}  // namespace kernels::tiled
