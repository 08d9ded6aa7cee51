#include "kernels/gemm_engines.h"

#include <array>
#include <atomic>
#include <vector>

#include "kernels/gemm_amx.h"
#include "kernels/gemm_portable.h"
#include "kernels/instructions.h"
#if defined(__AVX512F__)
#include "kernels/gemm_avx512.h"
#endif
#if defined(__x86_64__)
#include "kernels/gemm_pairs.h"
#endif

namespace kernels {
namespace {

template <class Engine>
constexpr NarrowEngine functions_of(const char* name, Precision precision) {
  using Unit = typename Engine::Unit;
  return {name,
          precision,
          [](int64_t n, int64_t k) { return packed_units<Engine>(n, k) * int64_t(sizeof(Unit)); },
          [](Cpu cpu, Matrix<float> b, int64_t n, int64_t k, void* packed) {
            pack_whole<Engine>(cpu, b, n, k, static_cast<Unit*>(packed));
          },
          [](Cpu cpu, const Call<float>& call, Matrix<float> b) { multiply<Engine>(cpu, call, b); },
          [](Cpu cpu, const Call<float>& call, const void* packed) {
            multiply_packed<Engine>(cpu, call, static_cast<const Unit*>(packed));
          }};
}

std::vector<const NarrowEngine*> available() {
  std::vector<const NarrowEngine*> found;
#if defined(__AVX512F__)
  static constexpr NarrowEngine amx[] = {
      functions_of<AmxBf16<HardwareTiles, Avx512Halves>>("amx-bf16", Precision::bf16),
      functions_of<AmxInt8<HardwareTiles>>("amx-int8", Precision::int8)};
  static constexpr NarrowEngine avx512_bf16 = functions_of<Avx512Bf16>("avx512-bf16", Precision::bf16);
  static constexpr NarrowEngine avx512_int8 = functions_of<Avx512Int8>("avx512-vnni", Precision::int8);
  if (instructions().amx) found = {&amx[0], &amx[1]};
  if (instructions().avx512_bf16) found.push_back(&avx512_bf16);
  if (instructions().avx512_vnni) found.push_back(&avx512_int8);
#endif
#if defined(__x86_64__)
  static constexpr NarrowEngine pairs = functions_of<PairsInt8>(vector_bytes == 64   ? "avx512-int8"
                                                                : vector_bytes == 32 ? "avx2-int8"
                                                                                     : "sse-int8",
                                                                Precision::int8);
  found.push_back(&pairs);
#endif
  static constexpr NarrowEngine rest[] = {
      functions_of<PortableBf16>("portable-bf16", Precision::bf16),
      functions_of<PortableInt8>("portable-int8", Precision::int8),
      functions_of<AmxBf16<ModelTiles, PlainHalves>>("amx-bf16-model", Precision::bf16),
      functions_of<AmxInt8<ModelTiles>>("amx-int8-model", Precision::int8)};
  for (const NarrowEngine& engine : rest) found.push_back(&engine);
  return found;
}

std::array<std::atomic<const NarrowEngine*>, 3> chosen;

}  // namespace

std::span<const NarrowEngine* const> narrow_engines() {
  static const std::vector<const NarrowEngine*> found = available();
  return found;
}

const NarrowEngine& narrow_engine(Precision precision) {
  std::atomic<const NarrowEngine*>& slot = chosen[size_t(precision)];
  if (slot.load() == nullptr) {
    const auto all = narrow_engines();
    slot = *std::find_if(all.begin(), all.end(), [&](const auto* engine) { return engine->precision == precision; });
  }
  return *slot.load();
}

void use_narrow_engine(const NarrowEngine& engine) { chosen[size_t(engine.precision)] = &engine; }

}  // namespace kernels
