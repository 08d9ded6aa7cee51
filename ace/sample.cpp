#include "ace/sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "ace/sample_scene.h"
#include "ace/sample_vectors.h"
#include "tensor/error.h"

namespace ace {
namespace {

using sample::Draw;
using sample::Scene;

constexpr int captions_an_item = 5;

/// Streams of draws: each part of an item has its own, so that a change to one leaves the others as they are.
enum Purpose : uint64_t { scene_purpose, noise_purpose, caption_purpose, held_out_purpose };

std::vector<Scene> distinct_scenes(int64_t items, uint64_t seed) {
  std::vector<Scene> scenes;
  scenes.reserve(size_t(items));
  std::unordered_set<uint64_t> seen;
  seen.reserve(size_t(items));
  for (int64_t item = 0; item < items; ++item) {
    Draw draw(seed, uint64_t(item), scene_purpose);
    Scene scene = draw_scene(draw);
    while (!seen.insert(sample::scene_code(scene)).second) scene = draw_scene(draw);
    scenes.push_back(scene);
  }
  return scenes;
}

Split split_of(int64_t item) { return item % 10 == 8 ? Split::dev : item % 10 == 9 ? Split::test : Split::train; }

/// The training captions of an item, then the held-out one if it has one; no two alike.
std::vector<std::string> captions(const Scene& scene, int64_t item, uint64_t seed) {
  std::vector<std::string> texts;
  const auto add = [&](Draw& draw, auto draw_mentions) {
    std::string text = sample::caption(scene, draw_mentions(draw), draw);
    while (std::find(texts.begin(), texts.end(), text) != texts.end())
      text = sample::caption(scene, draw_mentions(draw), draw);
    texts.push_back(std::move(text));
  };
  Draw draw(seed, uint64_t(item), caption_purpose);
  for (int i = 0; i < captions_an_item; ++i) add(draw, sample::draw_partial);
  if (split_of(item) == Split::train) return texts;
  Draw held_out(seed, uint64_t(item), held_out_purpose);
  add(held_out, sample::draw_nearly_all);
  return texts;
}

void add_item(Corpus& corpus, const Scene& scene, int64_t number, uint64_t seed) {
  const Split split = split_of(number);
  corpus.items.push_back({.id = fmt::format("scene-{:06}", number),
                          .split = split_names[size_t(split)],
                          .title = sample::description(scene, false),
                          .text = sample::description(scene, true),
                          .path = {}});
  int caption_number = 0;
  for (std::string& text : captions(scene, number, seed)) {
    const Split use = caption_number < captions_an_item ? Split::train : split;
    corpus.judgements[size_t(use)].push_back({int32_t(corpus.queries.size()), int32_t(number), 1});
    corpus.queries.push_back({fmt::format("query-{:06}-{}", number, caption_number++), std::move(text)});
  }
}

/// Settings in which a corpus of this size trains in minutes; from 30,000 items the defaults.
std::string suited_settings(int64_t items) {
  if (items >= 30000) {  // the built-in defaults, with fewer passes where there are more items
    return fmt::format(
        "# What suits a sample of {} items; --config and --set go over it.\n"
        "[rqvae]\nepochs = {}\nwarmup_epochs = {}\n\n"
        "[train]\nepochs = {}\n",
        items, std::clamp<int64_t>(16000000 / items, 10, 500), std::clamp<int64_t>(9600000 / items, 6, 300),
        std::clamp<int64_t>(600000 / items, 1, 20));
  }
  const int64_t grid = items < 500 ? 8 : items < 10000 ? 32 : 64;
  const int64_t epochs = std::clamp<int64_t>(15000 / items, 5, 60), batch = items < 5000 ? 32 : 64;
  return fmt::format(
      "# What suits a sample of {} items; --config and --set go over it.\n"
      "[kmeans]\nclusters = {}\n\n"
      "[rqvae]\nentries = {}\nlatent = 32\nhidden = [96, 64]\nmin_steps = 600\n\n"
      "[model]\nwidth = 128\nheads = 4\nencoder_layers = 2\ndecoder_layers = 2\n\n"
      "[train]\nepochs = {}\nbatch = {}\nrate = 1e-3\n",
      items, grid, grid, epochs, batch);
}

}  // namespace

Corpus make_sample(int64_t items, uint64_t seed) {
  tensor::check(items >= 100 && items <= 1000000, "sample: expected 100 to 1000000 items, found {}", items);
  Corpus corpus;
  corpus.items.reserve(size_t(items));
  corpus.queries.reserve(size_t(items * captions_an_item + items / 5));
  corpus.embeddings = tensor::Tensor({items, sample::Encoder::width}, tensor::DType::f16);
  const sample::Encoder encoder(seed);
  const std::vector<Scene> scenes = distinct_scenes(items, seed);
  for (int64_t item = 0; item < items; ++item) {
    add_item(corpus, scenes[size_t(item)], item, seed);
    encoder.encode(scenes[size_t(item)], Draw(seed, uint64_t(item), noise_purpose),
                   corpus.embeddings.data<tensor::f16>() + item * sample::Encoder::width);
  }
  corpus.settings = suited_settings(items);
  return corpus;
}

}  // namespace ace
