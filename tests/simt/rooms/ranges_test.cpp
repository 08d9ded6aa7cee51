#include "ace/objective.h"
#include "nn/optimizer.h"
#include "tests/ace/tiny.h"
#include "tests/cuda/rooms/device.h"
#include "tests/simt/host_api.h"

namespace ace {
namespace {

/// A timeline reads like the model, on the way there and back.
TEST(Ranges, NameOpsAndModulesForwardAndBackward) {
  SKIP_WITHOUT_DEVICE();
  const tensor::Device device = tensor::Device::cuda;
  nn::Initializer init(1, tensor::DType::f32);
  const Retriever model(tiny::sizes({6, 5, 4}), init);
  nn::move(nn::parameters(model), device);
  nn::Adam adam(nn::parameters(model));
  tensor::Random random(3);
  const auto texts = tiny::draw_queries(2, 5, random);
  const Identifiers table = tiny::draw_table({6, 5, 4}, 2, random);
  const std::vector<std::string> seen = simt::ranges_of([&] {
    const tensor::Range step(device, "step");
    nn::Pass pass(0.1, 1, 1, device);
    objective(model, texts, table.tokens, 1.0, pass).loss.backward();
    adam.step(1e-3);
  });
  const auto place = [&](const std::string& name) { return std::ranges::find(seen, name) - seen.begin(); };
  const std::vector<std::string> expected = {"step/encode/encoder.layers.0/attention",
                                             "step/encode/encoder.layers.1/residual_norm",
                                             "step/encode/linear",
                                             "step/decoder.layers.0/attention",
                                             "step/decoder.layers.1/gated_sum",
                                             "step/backward/decoder.layers.1/gated_sum",
                                             "step/backward/decoder.layers.0/attention",
                                             "step/backward/encoder.layers.1/residual_norm",
                                             "step/backward/encoder.layers.0/attention",
                                             "step/adam"};
  int64_t before = -1;
  for (const std::string& name : expected) {
    ASSERT_LT(place(name), std::ssize(seen)) << name << " was not seen";
    EXPECT_LT(std::exchange(before, place(name)), place(name)) << name;
  }
  for (const std::string& name : seen) EXPECT_EQ(name.find("backward/step"), name.npos) << name;
}

}  // namespace
}  // namespace ace
