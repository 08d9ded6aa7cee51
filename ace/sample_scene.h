#pragma once
#include <array>
#include <cstdint>
#include <string>

/// Scenes of the built-in corpus and the sentences that describe them.
namespace ace::sample {

/// SplitMix64 (Steele, Lea, Flood 2014) by counter: draw number n of a stream is a hash of (key, n). Integers only, so
/// that every machine draws the same.
class Draw {
 public:
  Draw(uint64_t seed, uint64_t item, uint64_t purpose);
  uint64_t next();
  /// 0 … bound − 1
  int64_t below(int64_t bound) { return int64_t((unsigned __int128)(next()) * uint64_t(bound) >> 64); }
  bool chance(int percent) { return below(100) < percent; }

 private:
  uint64_t state_;
};

/// What a scene has, each an index into its table of sample_words.h.
enum Slot : uint8_t { subject, subject_attribute, action, object, object_attribute, place, sound, moment };
constexpr int slots = 8;
using Scene = std::array<int16_t, slots>;

/// Draws a scene: a theme, most parts of that theme, and an action and attributes that suit their nouns.
Scene draw_scene(Draw& draw);
/// The scene as one number; equal only for equal scenes.
uint64_t scene_code(const Scene& scene);

/// Slots as bits: `1 << subject | 1 << place`.
using Mentions = unsigned;
constexpr Mentions everything = (1u << slots) - 1;
/// What a training caption tells: some part of the scene, now and then without its subject.
Mentions draw_partial(Draw& draw);
/// What a held-out caption tells: all but one to three parts, the nouns always.
Mentions draw_nearly_all(Draw& draw);
/// A sentence that mentions these slots, in drawn words and order.
std::string caption(const Scene& scene, Mentions mentions, Draw& draw);
/// The scene in the plainest words: `A curious fox sniffs at a red tent in the forest.`; with `whole` also hour and
/// sound.
std::string description(const Scene& scene, bool whole);

}  // namespace ace::sample
