#include "tests/kernels/arrays.h"
#include "tests/kernels/sequences.h"

namespace kernels {
namespace {

template <class T>
class AttentionOf : public testing::Test {};
TYPED_TEST_SUITE(AttentionOf, Numbers);

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{{1}, {1}, 1, 1, false},
                                        {{5}, {5}, 2, 16, true},
                                        {{33}, {65}, 1, 17, false},
                                        {{33, 1}, {130, 64}, 2, 8, false},
                                        {{70}, {70}, 1, 32, true},
                                        {{100, 2}, {200, 2}, 2, 4, true},
                                        {{3, 2}, {0, 4}, 2, 3, false},
                                        {{5}, {2}, 1, 4, true},
                                        {{0, 4}, {3, 4}, 1, 5, false, 7},
                                        {{40, 13}, {80, 13}, 3, 8, true, 5},
                                        {{12, 5, 24, 17}, {12, 5, 24, 17}, 2, 64, false},
                                        {{4, 4, 4}, {4, 4, 4}, 8, 64, true},
                                        {{50, 1, 7}, {12, 16, 3}, 2, 33, false, 3},
                                        {{6, 11}, {6, 48}, 1, 131, false}};
  return all;
}

std::string name_of(const Case& c) {
  return testing::PrintToString(c.queries) + " queries, " + testing::PrintToString(c.keys) + " keys" +
         (c.causal ? ", causal" : "");
}

/// Σ dO ⊙ O of the plain version in f64, as a function of q, k and v: its derivatives are the gradients.
double weighted(const AttentionShape& shape, const std::vector<double>& q, const std::vector<double>& k,
                const std::vector<double>& v, const std::vector<double>& d_o) {
  std::vector<double> o(d_o.size());
  attention_plain<double>(shape, q.data(), k.data(), v.data(), o.data(), nullptr);
  double total = 0;
  for (size_t i = 0; i < o.size(); ++i) total += o[i] * d_o[i];
  return total;
}

/// A case with drawn inputs, and what the tiled version makes of them.
template <class T>
struct Computed : Packed {
  std::vector<T> q, k, v, d_o;
  Output<T> o, lse;
  explicit Computed(const Case& c)
      : Packed(c),
        q(draw<T>(q_rows * stride, 1)),
        k(draw<T>(k_rows * stride, 2)),
        v(draw<T>(k_rows * stride, 3)),
        d_o(draw<T>(q_rows * d, 4)),
        o(q_rows * d),
        lse(q_rows * c.heads) {
    attention<T>(Cpu(), shape, q.data(), k.data(), v.data(), o, lse);
  }
  void backward(Grad<T> dq, Grad<T> dk, Grad<T> dv) {
    attention_backward<T>(Cpu(), shape, q.data(), k.data(), v.data(), o.data(), lse.data(), d_o.data(), dq, dk, dv);
  }
};

TYPED_TEST(AttentionOf, TilesEqualThePlainVersion) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    SCOPED_TRACE(name_of(c));
    Computed<T> s(c);
    Output<T> plain(s.q_rows * s.d), plain_lse(s.q_rows * c.heads);
    attention_plain<T>(s.shape, s.q.data(), s.k.data(), s.v.data(), plain, plain_lse);
    EXPECT_LE(relative_error(s.o.values(), plain.values()), 3 * tolerance<T>);
    EXPECT_LE(relative_error(s.lse.values(), plain_lse.values()), 3 * tolerance<T>);
  }
}

TYPED_TEST(AttentionOf, GradientsAreThoseOfThePlainVersion) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    SCOPED_TRACE(name_of(c));
    Computed<T> s(c);
    std::vector<T> gradients[3] = {std::vector<T>(s.q.size()), std::vector<T>(s.k.size()), std::vector<T>(s.v.size())};
    s.backward({gradients[0].data()}, {gradients[1].data()}, {gradients[2].data()});
    std::vector<double> inputs[3] = {{s.q.begin(), s.q.end()}, {s.k.begin(), s.k.end()}, {s.v.begin(), s.v.end()}};
    const std::vector<double> wide(s.d_o.begin(), s.d_o.end());
    for (int which = 0; which < 3; ++which) {  // along a few directions: 17 elements of each, spread out
      const int64_t n = int64_t(inputs[which].size());
      for (int64_t i = 0; i < n; i += std::max<int64_t>(1, n / 17)) {
        if (i % s.stride >= s.d) continue;  // between the rows
        double& x = inputs[which][size_t(i)];
        const double centre = x, h = 1e-5;
        x = centre + h;
        const double above = weighted(s.shape, inputs[0], inputs[1], inputs[2], wide);
        x = centre - h;
        const double below = weighted(s.shape, inputs[0], inputs[1], inputs[2], wide);
        x = centre;
        const double numeric = (above - below) / (2 * h);
        EXPECT_NEAR(double(gradients[which][size_t(i)]), numeric,
                    (sizeof(T) == 4 ? 2e-5 : 1e-8) * (1 + std::abs(numeric)))
            << "input " << which << " element " << i;
      }
    }
  }
}

TYPED_TEST(AttentionOf, GradientsAreWrittenOrAddedAndLeftAloneBetweenRows) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    SCOPED_TRACE(name_of(c));
    Computed<T> s(c);
    std::vector<T> once(s.k.size(), T(100)), twice(s.k.size(), T(100));
    const auto keys_gradient = [&](std::vector<T>& into, bool add) { s.backward({}, {into.data(), add}, {}); };
    keys_gradient(once, false);
    keys_gradient(twice, false);
    keys_gradient(twice, true);
    for (int64_t i = 0; i < int64_t(s.k.size()); ++i) {
      if (i % s.stride >= s.d) {
        EXPECT_EQ(once[size_t(i)], T(100));
      } else {
        EXPECT_NEAR(double(twice[size_t(i)]), 2 * double(once[size_t(i)]),
                    1e-4 * (1 + std::abs(double(once[size_t(i)]))));
      }
    }
  }
}

/// Everything that attention computes for a case, forward and backward, one after another.
template <class T>
std::vector<T> everything(const Packed& s, const T* q, const T* k, const T* v, const T* d_o) {
  std::vector<T> o(size_t(s.q_rows * s.d)), lse(size_t(s.q_rows * s.shape.heads));
  std::vector<T> dq(size_t(s.q_rows * s.stride)), dk(size_t(s.k_rows * s.stride)), dv(dk);
  attention<T>(Cpu(), s.shape, q, k, v, o.data(), lse.data());
  attention_backward<T>(Cpu(), s.shape, q, k, v, o.data(), lse.data(), d_o, {dq.data()}, {dk.data()}, {dv.data()});
  for (const auto* part : {&lse, &dq, &dk, &dv}) o.insert(o.end(), part->begin(), part->end());
  return o;
}

TYPED_TEST(AttentionOf, BitsAreTheSameForAnyThreads) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    SCOPED_TRACE(name_of(c));
    const Computed<T> s(c);
    expect_same_for_any_threads([&] { return everything<T>(s, s.q.data(), s.k.data(), s.v.data(), s.d_o.data()); });
  }
}

TYPED_TEST(AttentionOf, BitsOfASequenceDoNotDependOnTheOthers) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    SCOPED_TRACE(name_of(c));
    const Computed<T> s(c);
    const auto all = everything<T>(s, s.q.data(), s.k.data(), s.v.data(), s.d_o.data());
    for (size_t b = 0; b < c.queries.size(); ++b) {
      Case alone = c;
      alone.queries = {c.queries[b]}, alone.keys = {c.keys[b]};
      const Packed one(alone);
      const int64_t row = s.q_offsets[b], key = s.k_offsets[b];
      const auto found = everything<T>(one, s.q.data() + row * s.stride, s.k.data() + key * s.stride,
                                       s.v.data() + key * s.stride, s.d_o.data() + row * s.d);
      const T *in_all = all.data(), *in_one = found.data();
      const auto expect_part = [&](int64_t from, int64_t rows, int64_t width, int64_t rows_of_all, const char* name) {
        EXPECT_TRUE(std::equal(in_one, in_one + rows * width, in_all + from * width)) << name << " of sequence " << b;
        in_one += rows * width, in_all += rows_of_all * width;
      };
      expect_part(row, one.q_rows, s.d, s.q_rows, "o");
      expect_part(row, one.q_rows, c.heads, s.q_rows, "lse");
      expect_part(row, one.q_rows, s.stride, s.q_rows, "dq");
      expect_part(key, one.k_rows, s.stride, s.k_rows, "dk");
      expect_part(key, one.k_rows, s.stride, s.k_rows, "dv");
    }
  }
}

/// Rows that find the keys of their positions in different places are sequences of one query, once those are gathered.
TYPED_TEST(AttentionOf, AStepIsThePlainVersionOfGatheredKeys) {
  using T = TypeParam;
  for (const int64_t positions : {1, 2, 4, 7}) {
    for (const int64_t width : {1, 5, 64, 67}) {
      SCOPED_TRACE(testing::Message() << positions << " positions of width " << width);
      const int64_t rows = 37, heads = 3, d = heads * width;
      const auto q = draw<T>(rows * d, 1);
      std::vector<std::vector<T>> keys, values;
      std::vector<const T*> k, v;
      std::vector<int32_t> at(size_t(positions * rows));
      std::vector<T> gathered_k(size_t(rows * positions * d)), gathered_v(gathered_k);
      for (int64_t p = 0; p < positions; ++p) {
        const int64_t there = 5 + 8 * p;
        keys.push_back(draw<T>(there * d, uint64_t(10 + p)));
        values.push_back(draw<T>(there * d, uint64_t(20 + p)));
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t row = at[size_t(p * rows + r)] = int32_t((r * 7 + p) % there);
          std::copy_n(keys.back().begin() + row * d, d, gathered_k.begin() + (r * positions + p) * d);
          std::copy_n(values.back().begin() + row * d, d, gathered_v.begin() + (r * positions + p) * d);
        }
      }
      for (int64_t p = 0; p < positions; ++p)
        k.push_back(keys[size_t(p)].data()), v.push_back(values[size_t(p)].data());
      const size_t n = size_t(rows);
      const Packed s(Case{std::vector<int64_t>(n, 1), std::vector<int64_t>(n, positions), heads, width, false});
      Output<T> found(rows * d), plain(rows * d);
      attention_step<T>(Cpu(), rows, heads, width, positions, at.data(), q.data(), k.data(), v.data(), found);
      attention_plain<T>(s.shape, q.data(), gathered_k.data(), gathered_v.data(), plain, nullptr);
      EXPECT_LE(relative_error(found.values(), plain.values()), 3 * tolerance<T>);
      expect_same_for_any_threads([&] {
        std::vector<T> o(size_t(rows * d));
        attention_step<T>(Cpu(), rows, heads, width, positions, at.data(), q.data(), k.data(), v.data(), o.data());
        return o;
      });
    }
  }
}

TEST(Attention, AQueryWithoutKeysGivesZeroAndNoGradient) {
  const Packed s(Case{{2}, {0}, 1, 3, false});
  const auto q = draw<float>(6, 1), d_o = draw<float>(6, 2);
  Output<float> o(6), lse(2), dq(6);
  attention<float>(Cpu(), s.shape, q.data(), nullptr, nullptr, o, lse);
  EXPECT_EQ(o.values(), std::vector<float>(6, 0));
  attention_backward<float>(Cpu(), s.shape, q.data(), nullptr, nullptr, o.data(), lse.data(), d_o.data(), {dq.data()},
                            {}, {});
  EXPECT_EQ(dq.values(), std::vector<float>(6, 0));
}

TEST(Attention, ScoresOfThousandsDoNotOverflow) {
  const Packed s(Case{{1}, {3}, 1, 1, false});
  const std::vector<float> q = {1000}, k = {5, -5, 4}, v = {1, 2, 3};
  Output<float> o(1), lse(1);
  attention<float>(Cpu(), s.shape, q.data(), k.data(), v.data(), o, lse);
  EXPECT_EQ(o.values()[0], 1.0f);
  EXPECT_EQ(lse.values()[0], 5000.0f);
}

TEST(Attention, ANotANumberIsSeen) {
  const Packed s(Case{{1}, {3}, 1, 1, false});
  const std::vector<float> q = {1}, k = {5, NAN, 4}, v = {1, 2, 3};
  Output<float> o(1), lse(1);
  attention<float>(Cpu(), s.shape, q.data(), k.data(), v.data(), o, lse);
  EXPECT_TRUE(std::isnan(o.values()[0]));
}

}  // namespace
}  // namespace kernels
