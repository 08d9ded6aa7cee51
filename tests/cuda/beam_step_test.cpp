#include "kernels/beam_step.h"

#include "tests/cuda/trees.h"
#include "tests/kernels/beam_rows.h"

namespace kernels {
namespace {

/// BeamRows in the device's memory.
struct DeviceRows {
  DeviceRows(int64_t queries, int64_t width, int64_t length)
      : score(queries * width),
        rank(queries * width),
        alive(queries),
        tokens(std::max<int64_t>(1, queries * width * length)),
        ancestors(queries * width * (length + 1)),
        input(queries * width),
        offsets(queries + 1),
        view{queries, width, length, score, rank, alive, tokens, ancestors, input, offsets} {}
  Device<double> score;
  Device<int32_t> rank, alive, tokens, ancestors, input, offsets;
  BeamRows view;
};

/// A whole search, of which nothing is looked at before its end, gives the CPU's rows at every length.
TEST(BeamStepOnDevice, ASearchWithoutTheHostIsTheCpus) {
  const Cuda cuda;
  const Tree tree({5, 7, 6, 3}, 40, 1);
  const int64_t queries = 3, beam = 12;
  for (const bool constrained : {true, false}) {
    std::vector<HostRows> here{HostRows(queries, 1, 0)};
    std::vector<std::unique_ptr<DeviceRows>> there;
    there.push_back(std::make_unique<DeviceRows>(queries, 1, 0));
    beam_start(Cpu(), here[0].view());
    beam_start(cuda, there[0]->view);
    for (size_t j = 0; j < tree.vocabulary.size(); ++j) {
      HostRows& from = here.back();
      const BeamRows& before = there.back()->view;
      auto logits = draw<float>(from.rows() * tree.vocabulary[j], 10 * j + 1);
      if (j == 1) logits[0] = std::numeric_limits<float>::quiet_NaN();  // query 0 ends here
      const TreeLevel level = constrained ? tree.levels[j].view : TreeLevel{};
      const DeviceLevel device_level(tree.levels[j]);
      const TreeLevel level_there = constrained ? device_level.view : TreeLevel{};

      HostRows to(queries, beam, from.length + 1);
      std::vector<Extension> found(size_t(queries * beam));
      const Beams<float> beams{logits.data(), from.score.data(), from.rank.data(),   from.alive.data(),
                               queries,       from.width,        tree.vocabulary[j], level};
      top_k(Cpu(), beams, beam, found.data(), to.alive.data());
      beam_step(Cpu(), from.view(), found.data(), level, 1000, to.view());

      auto to_there = std::make_unique<DeviceRows>(queries, beam, from.length + 1);
      const Device<float> logits_there(logits);
      const Device<Extension> found_there(queries * beam);
      const Beams<float> beams_there{logits_there, before.score, before.rank,        before.alive,
                                     queries,      from.width,   tree.vocabulary[j], level_there};
      top_k(cuda, beams_there, beam, found_there.data(), to_there->alive.data());
      beam_step(cuda, before, found_there, level_there, 1000, to_there->view);
      cuda.synchronize();
      here.push_back(to), there.push_back(std::move(to_there));
    }
    for (size_t j = 0; j < here.size(); ++j) {
      SCOPED_TRACE(testing::Message() << "length " << j << ", constrained " << constrained);
      EXPECT_LE(relative_error(there[j]->score.values(), here[j].score), 1e-6);
      EXPECT_EQ(there[j]->rank.values(), here[j].rank);
      EXPECT_EQ(there[j]->alive.values(), here[j].alive);
      if (j > 0) {
        EXPECT_EQ(there[j]->tokens.values(), here[j].tokens);
      }
      EXPECT_EQ(there[j]->ancestors.values(), here[j].ancestors);
      EXPECT_EQ(there[j]->input.values(), here[j].input);
      EXPECT_EQ(there[j]->offsets.values(), here[j].offsets);
    }
  }
}

}  // namespace
}  // namespace kernels
