#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// The vocabulary of the built-in corpus: what its scenes are made of and the words that captions choose among.
namespace ace::sample {

/// Words that mean the same, the plainest first.
using Synonyms = std::vector<std::string_view>;

/// Where things belong together: a scene mostly takes its parts from one theme, as photographs and recordings do.
enum class Theme : uint8_t { home, street, farm, sea, forest, workshop, market, stage };
constexpr int themes = 8;

/// What a noun is, as bits; actions and attributes say which kinds they go with.
enum Kind : uint8_t {
  animal = 1,
  person = 2,
  vehicle = 4,
  food = 8,
  tool = 16,
  furniture = 32,
  instrument = 64,
  thing = 128
};
constexpr uint8_t any_kind = 255;

struct Noun {
  Theme theme;
  Kind kind;
  Synonyms names;
};
struct Attribute {
  uint8_t kinds;
  Synonyms names;
};
/// `chases`, `chasing`, `chased by`; without passive forms a caption keeps the active voice.
struct Action {
  uint8_t kinds;  ///< of the subject
  Synonyms acts, acting, acted_by;
};
/// With its preposition: `in the kitchen`.
struct Place {
  Theme theme;
  Synonyms phrases;
};
/// As a clause (`gulls cry`) and as a thing (`the cry of gulls`), alike in number.
struct Sound {
  Theme theme;
  Synonyms clauses, names;
};
/// Hour or weather: `at dawn`, `in the rain`.
struct Moment {
  Synonyms phrases;
};

std::span<const Noun> subjects();
std::span<const Noun> objects();
std::span<const Attribute> attributes();
std::span<const Action> actions();
std::span<const Place> places();
std::span<const Sound> sounds();
std::span<const Moment> moments();

}  // namespace ace::sample
