#include "ace/sample_scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "ace/sample_words.h"

namespace ace::sample {
namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Uniform among the entries of `table` that satisfy `wanted`; the tables are short.
template <class Table, class Wanted>
int16_t pick(const Table& table, Draw& draw, Wanted wanted) {
  int64_t count = 0;
  for (const auto& entry : table) count += wanted(entry);
  int64_t chosen = draw.below(count);
  for (size_t i = 0; i < table.size(); ++i) {
    if (wanted(table[i]) && chosen-- == 0) return int16_t(i);
  }
  return 0;
}

/// Three times in four from the scene's theme, else from any.
template <class Table>
int16_t pick_themed(const Table& table, Theme theme, Draw& draw) {
  const bool stray = draw.chance(25);
  return pick(table, draw, [&](const auto& entry) { return stray || entry.theme == theme; });
}

std::string_view word(const Synonyms& words, Draw& draw) { return words[size_t(draw.below(int64_t(words.size())))]; }

std::string article(std::string_view noun) {
  const bool vowel = std::string_view("aeiou").find(noun.front()) != std::string_view::npos;
  return fmt::format("{} {}", vowel ? "an" : "a", noun);
}

std::string sentence(std::string text) {
  text[0] = text[0] >= 'a' && text[0] <= 'z' ? char(text[0] - 'a' + 'A') : text[0];
  text += '.';
  return text;
}

/// Words for one scene, drawn anew at each use.
class Wording {
 public:
  Wording(const Scene& scene, Mentions mentions, Draw& draw) : scene_(scene), mentions_(mentions), draw_(draw) {}

  bool has(Slot slot) const { return mentions_ >> slot & 1; }
  std::string subject_phrase() { return noun_phrase(subjects()[index(subject)].names, subject_attribute); }
  std::string object_phrase() { return noun_phrase(objects()[index(object)].names, object_attribute); }
  std::string acts() { return std::string(word(doing().acts, draw_)); }
  std::string acting() { return std::string(word(doing().acting, draw_)); }
  std::string acted_by() { return std::string(word(doing().acted_by, draw_)); }
  bool has_passive() const { return !doing().acted_by.empty(); }
  std::string place_phrase() { return std::string(word(places()[index(place)].phrases, draw_)); }
  std::string moment_phrase() { return std::string(word(moments()[index(moment)].phrases, draw_)); }
  std::string sound_clause() { return std::string(word(sounds()[index(sound)].clauses, draw_)); }
  std::string sound_name() { return std::string(word(sounds()[index(sound)].names, draw_)); }

 private:
  size_t index(Slot slot) const { return size_t(scene_[slot]); }
  const Action& doing() const { return actions()[index(action)]; }
  std::string noun_phrase(const Synonyms& names, Slot attribute) {
    std::string noun(word(names, draw_));
    if (has(attribute)) noun = fmt::format("{} {}", word(attributes()[index(attribute)].names, draw_), noun);
    return draw_.chance(20) ? fmt::format("the {}", noun) : article(noun);
  }

  const Scene& scene_;
  Mentions mentions_;
  Draw& draw_;
};

/// Subject, action and object as far as they are mentioned; `clause` tells whether a verb made it a clause.
std::string core(Wording& words, Draw& draw, bool& clause) {
  clause = false;
  if (!words.has(subject)) return words.has(object) ? words.object_phrase() : "";
  const std::string who = words.subject_phrase();
  if (!words.has(object)) return who;
  const std::string what = words.object_phrase();
  if (!words.has(action)) {
    constexpr std::string_view links[] = {"and", "with", "near"};
    return fmt::format("{} {} {}", who, links[draw.below(3)], what);
  }
  const int64_t form = draw.below(words.has_passive() ? 5 : 4);
  clause = form == 0 || form == 1 || form == 4;
  if (form == 0) return fmt::format("{} {} {}", who, words.acts(), what);
  if (form == 1) return fmt::format("{} is {} {}", who, words.acting(), what);
  if (form == 4) return fmt::format("{} is {} {}", what, words.acted_by(), who);
  return fmt::format("{} {} {}", who, words.acting(), what);
}

/// Place and hour, in either order.
std::string surroundings(Wording& words, Draw& draw) {
  std::string where = words.has(place) ? words.place_phrase() : "";
  std::string when = words.has(moment) ? words.moment_phrase() : "";
  if (draw.chance(40)) std::swap(where, when);
  return where + (where.empty() || when.empty() ? "" : " ") + when;
}

std::string join(const std::string& a, std::string_view between, const std::string& b) {
  if (a.empty() || b.empty()) return a + b;
  return fmt::format("{}{}{}", a, between, b);
}

std::string with_sound(std::string text, bool clause, Wording& words, Draw& draw) {
  if (text.empty()) return draw.chance(50) ? words.sound_clause() : words.sound_name();
  const std::string heard = clause ? words.sound_clause() : words.sound_name();
  switch (draw.below(4)) {
    case 0:
      return fmt::format("{}, with {} in the background", text, words.sound_name());
    case 1:
      return fmt::format("{} {} {}", text, clause ? "while" : "to the sound of", heard);
    case 2:
      return fmt::format("{} and {}", text, heard);
    default:
      return clause ? fmt::format("as {}, {}", heard, text) : fmt::format("{} and {}", heard, text);
  }
}

}  // namespace

Draw::Draw(uint64_t seed, uint64_t item, uint64_t purpose)
    : state_(mix(mix(mix(seed + 0x9e3779b97f4a7c15u) + item) + purpose)) {}

uint64_t Draw::next() { return mix(state_ += 0x9e3779b97f4a7c15u); }

Scene draw_scene(Draw& draw) {
  const Theme theme = Theme(draw.below(themes));
  Scene scene{};
  scene[subject] = pick_themed(subjects(), theme, draw);
  scene[object] = pick_themed(objects(), theme, draw);
  scene[place] = pick_themed(places(), theme, draw);
  scene[sound] = pick_themed(sounds(), theme, draw);
  scene[moment] = int16_t(draw.below(int64_t(moments().size())));
  const auto suits = [](Kind kind) { return [kind](const auto& entry) { return (entry.kinds & kind) != 0; }; };
  scene[action] = pick(actions(), draw, suits(subjects()[size_t(scene[subject])].kind));
  scene[subject_attribute] = pick(attributes(), draw, suits(subjects()[size_t(scene[subject])].kind));
  scene[object_attribute] = pick(attributes(), draw, suits(objects()[size_t(scene[object])].kind));
  return scene;
}

uint64_t scene_code(const Scene& scene) {
  uint64_t code = 0;
  for (const int16_t part : scene) code = code << 7 | uint64_t(part);  // every table has at most 128 entries
  return code;
}

Mentions draw_partial(Draw& draw) {
  Mentions told = draw.chance(92) ? 1u << subject : 0;
  const int64_t wanted = 3 + draw.below(4);
  while (std::popcount(told) < wanted) told |= 1u << draw.below(slots);
  if (told >> action & 1) told |= 1u << subject | 1u << object;  // nobody acts on nothing
  if (told >> subject_attribute & 1) told |= 1u << subject;
  if (told >> object_attribute & 1) told |= 1u << object;
  return told;
}

Mentions draw_nearly_all(Draw& draw) {
  constexpr Slot optional[] = {subject_attribute, action, object_attribute, place, sound, moment};
  Mentions told = everything;
  for (int i = 0; i < 3; ++i) told &= ~(1u << optional[draw.below(std::size(optional))]);
  return told;
}

std::string caption(const Scene& scene, Mentions mentions, Draw& draw) {
  Wording words(scene, mentions, draw);
  bool clause = false;
  std::string text = core(words, draw, clause);
  const std::string around = surroundings(words, draw);
  const bool in_front = draw.chance(25);
  text = in_front ? join(around, ", ", text) : join(text, " ", around);
  if (words.has(sound)) text = with_sound(text, clause && !in_front, words, draw);
  return draw.chance(60) ? sentence(text) : text;
}

std::string description(const Scene& scene, bool whole) {
  const auto noun = [&](const Noun& thing, Slot attribute) {
    return article(fmt::format("{} {}", attributes()[size_t(scene[attribute])].names[0], thing.names[0]));
  };
  const std::string who = noun(subjects()[size_t(scene[subject])], subject_attribute);
  const std::string what = noun(objects()[size_t(scene[object])], object_attribute);
  std::string text = fmt::format("{} {} {} {}", who, actions()[size_t(scene[action])].acts[0], what,
                                 places()[size_t(scene[place])].phrases[0]);
  if (whole) {
    text = fmt::format("{} {} while {}", text, moments()[size_t(scene[moment])].phrases[0],
                       sounds()[size_t(scene[sound])].clauses[0]);
  }
  return sentence(text);
}

}  // namespace ace::sample
