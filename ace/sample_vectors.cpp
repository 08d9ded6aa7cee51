#include "ace/sample_vectors.h"

#include <cmath>

#include "ace/sample_words.h"

namespace ace::sample {
namespace {

constexpr int width = Encoder::width;
using Vector = std::array<int32_t, width>;
using Sum = std::array<int64_t, width>;

constexpr int64_t unit = 1 << 15;  // length of a unit vector in fixed point

/// How much each slot weighs, in hundredths, in the order of Slot; attributes and actions count mostly where they are
/// bound.
constexpr std::array<int64_t, slots> weights = {100, 25, 30, 90, 25, 65, 55, 40};
struct Binding {
  Slot first, second;
  int64_t weight;
};
constexpr Binding bindings[] = {{subject_attribute, subject, 35}, {object_attribute, object, 35}, {action, object, 35}};
constexpr int64_t offset_weight = 150, noise_weight = 45;

/// About normal: the sum of four 16-bit uniforms, centred. The spectrum falls as 24 / (24 + i).
int32_t random_component(Draw& draw, int i) {
  const uint64_t bits = draw.next();
  const int64_t sum =
      int64_t(bits & 0xffff) + int64_t(bits >> 16 & 0xffff) + int64_t(bits >> 32 & 0xffff) + int64_t(bits >> 48);
  return int32_t((sum - 2 * 0xffff) * 24 / (24 + i));
}

template <class Values>
double norm(const Values& values) {
  int64_t squares = 0;
  for (const auto value : values) squares += int64_t(value) * value;
  return std::sqrt(double(squares));  // exactly rounded everywhere, as is the division by it
}

template <class Values>
Vector normalized(const Values& values) {
  const double length = norm(values);
  Vector result;
  for (int i = 0; i < width; ++i) result[size_t(i)] = int32_t(std::llround(double(values[size_t(i)] * unit) / length));
  return result;
}

Vector random_direction(uint64_t seed, uint64_t role, uint64_t index) {
  Draw draw(seed, role, index);
  Vector values;
  for (int i = 0; i < width; ++i) values[size_t(i)] = random_component(draw, i);
  return normalized(values);
}

void add(Sum& sum, const Vector& values, int64_t weight) {
  for (size_t i = 0; i < width; ++i) sum[i] += values[i] * weight;
}

Vector bound(const Vector& a, const Vector& b) {
  Sum product;
  for (size_t i = 0; i < width; ++i) product[i] = int64_t(a[i]) * b[i] / 1024;
  return normalized(product);
}

/// Purposes that keep the streams of directions apart.
enum Role : uint64_t { of_offset = 1000, of_theme, of_kind, of_word };

/// Vectors for a table: each its own direction, plus its theme's and its kind's where it has them.
template <class Table>
std::vector<Vector> directions(const Table& table, uint64_t seed, Slot slot) {
  std::vector<Vector> vectors;
  for (size_t i = 0; i < table.size(); ++i) {
    Sum sum{};
    add(sum, random_direction(seed, uint64_t(of_word) + slot, i), 80);
    if constexpr (requires { table[i].theme; })
      add(sum, random_direction(seed, of_theme, uint64_t(table[i].theme)), 60);
    if constexpr (requires { table[i].kind; }) add(sum, random_direction(seed, of_kind, table[i].kind), 40);
    vectors.push_back(normalized(sum));
  }
  return vectors;
}

}  // namespace

Encoder::Encoder(uint64_t seed) : offset_(random_direction(seed, of_offset, 0)) {
  concepts_[subject] = directions(subjects(), seed, subject);
  concepts_[subject_attribute] = directions(attributes(), seed, subject_attribute);
  concepts_[action] = directions(actions(), seed, action);
  concepts_[object] = directions(objects(), seed, object);
  concepts_[object_attribute] = directions(attributes(), seed, object_attribute);
  concepts_[place] = directions(places(), seed, place);
  concepts_[sound] = directions(sounds(), seed, sound);
  concepts_[moment] = directions(moments(), seed, moment);
}

void Encoder::encode(const Scene& scene, Draw noise, kernels::f16* x) const {
  const auto part = [&](Slot slot) -> const Vector& { return concepts_[slot][size_t(scene[slot])]; };
  Sum sum{};
  add(sum, offset_, offset_weight);
  for (int slot = 0; slot < slots; ++slot) add(sum, part(Slot(slot)), weights[size_t(slot)]);
  for (const Binding& b : bindings) add(sum, bound(part(b.first), part(b.second)), b.weight);
  Vector random;
  for (int i = 0; i < width; ++i) random[size_t(i)] = random_component(noise, i);
  add(sum, normalized(random), noise_weight);
  const double length = norm(sum);
  for (size_t i = 0; i < width; ++i) x[i] = kernels::f16(float(double(sum[i]) / length));
}

}  // namespace ace::sample
