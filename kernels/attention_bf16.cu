#include "kernels/attention_launch.h"
#include "kernels/attention_wmma.h"

namespace kernels::tiled {

template <int D, bool low>
struct EngineOf<bf16, D, low> {
  using type = Wmma<bf16, D>;
};
ACE_INSTANTIATE_TILES(bf16)

}  // namespace kernels::tiled
