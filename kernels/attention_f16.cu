#include "kernels/attention_launch.h"
#include "kernels/attention_wmma.h"

namespace kernels::tiled {

template <int D, bool low>
struct EngineOf<f16, D, low> {
  using type = Wmma<f16, D>;
};
ACE_INSTANTIATE_TILES(f16)

}  // namespace kernels::tiled
