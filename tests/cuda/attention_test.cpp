#include "tests/cuda/arrays.h"
#include "tests/kernels/sequences.h"

namespace kernels {
namespace {

/// Widths that have tiles (32, 64, 128) and others; low tiles and high ones; one tile, several and broken ones; empty
/// sequences; rows that 16 bytes at a time reach and rows that they do not.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{{1}, {1}, 1, 1, false},
                                        {{5, 0, 3}, {5, 2, 3}, 2, 8, true},
                                        {{3, 2}, {0, 4}, 2, 33, false, 3},
                                        {{2}, {3}, 1, 150, false},
                                        {{3, 1, 4}, {12, 5, 0}, 2, 32, false},
                                        {{4, 0, 5}, {4, 3, 2}, 2, 64, true, 8},
                                        {{3}, {70}, 1, 64, false, 3},
                                        {{5, 3}, {34, 3}, 1, 128, true},
                                        {{33, 1}, {97, 64}, 1, 32, false, 8},
                                        {{70}, {70}, 1, 64, true},
                                        {{20, 0, 66}, {67, 2, 9}, 1, 64, false, 1},
                                        {{36}, {40}, 1, 128, false, 16}};
  return all;
}

/// The same offsets here and on the device.
struct PackedThere : Packed {
  Device<int32_t> q_offsets_there, k_offsets_there;
  AttentionShape there;
  explicit PackedThere(const Case& c)
      : Packed(c), q_offsets_there(q_offsets), k_offsets_there(k_offsets), there(shape) {
    there.q_offsets = q_offsets_there, there.k_offsets = k_offsets_there;
  }
};

/// Rows without the gaps between them, in f64.
template <class T>
std::vector<double> dense(const std::vector<T>& values, int64_t d, int64_t stride) {
  std::vector<double> result;
  for (size_t i = 0; i < values.size(); ++i) {
    if (int64_t(i) % stride < d) result.push_back(double(values[i]));
  }
  return result;
}

/// A case with drawn inputs, what the CPU makes of them in f64, and the inputs on the device.
template <class T>
struct Computed : PackedThere {
  std::vector<T> q, k, v, d_o;
  std::vector<double> o, lse, dq, dk, dv;
  Device<T> device_q, device_k, device_v, device_d_o;
  explicit Computed(const Case& c, double spread = 2)
      : PackedThere(c),
        q(draw<T>(q_rows * stride, 1, -spread, spread)),
        k(draw<T>(k_rows * stride, 2)),
        v(draw<T>(k_rows * stride, 3)),
        d_o(draw<T>(q_rows * d, 4)),
        o(size_t(q_rows * d)),
        lse(size_t(q_rows * c.heads)),
        dq(q.size()),
        dk(k.size()),
        dv(v.size()),
        device_q(q),
        device_k(k),
        device_v(v),
        device_d_o(d_o) {
    const auto x = as<double>(q), y = as<double>(k), z = as<double>(v), w = as<double>(d_o);
    attention<double>(Cpu(), shape, x.data(), y.data(), z.data(), o.data(), lse.data());
    attention_backward<double>(Cpu(), shape, x.data(), y.data(), z.data(), o.data(), lse.data(), w.data(), {dq.data()},
                               {dk.data()}, {dv.data()});
  }
};

/// All that the device makes of a case; gradients are written over, or added to, what is drawn here.
template <class T>
struct Found {
  Device<T> o;
  Device<Accumulator<T>> lse;
  std::vector<T> before_q, before_k;
  Device<T> dq, dk, dv;
  explicit Found(const Computed<T>& s)
      : o(s.q_rows * s.d),
        lse(s.q_rows * s.shape.heads),
        before_q(draw<T>(s.q_rows * s.stride, 5)),
        before_k(draw<T>(s.k_rows * s.stride, 6)),
        dq(before_q),
        dk(before_k),
        dv(before_k) {}
  void forward(const Computed<T>& s, bool plain) {
    (plain ? attention_plain<T>(Cuda(), s.there, s.device_q, s.device_k, s.device_v, o, lse)
           : attention<T>(Cuda(), s.there, s.device_q, s.device_k, s.device_v, o, lse));
  }
  void backward(const Computed<T>& s, bool plain, Grad<T> q, Grad<T> k, Grad<T> v) {
    (plain
         ? attention_backward_plain<T>(Cuda(), s.there, s.device_q, s.device_k, s.device_v, lse, s.device_d_o, q, k, v)
         : attention_backward<T>(Cuda(), s.there, s.device_q, s.device_k, s.device_v, o, lse, s.device_d_o, q, k, v));
  }
};

/// A gradient must be `expected`, added to `before` or instead of it, and leave the gaps between rows alone.
template <class T>
void expect_gradient_rows(const Packed& s, const std::vector<T>& found, const std::vector<double>& expected,
                          const std::vector<T>& before, bool added, const char* name) {
  std::vector<double> total = dense(expected, s.d, s.stride);
  const std::vector<double> start = dense(before, s.d, s.stride);
  for (size_t i = 0; added && i < total.size(); ++i) total[i] += start[i];
  EXPECT_LE(relative_error(dense(found, s.d, s.stride), total), device_tolerance<T>) << name;
  for (int64_t i = 0; i < int64_t(found.size()); ++i) {
    if (i % s.stride >= s.d) {
      ASSERT_EQ(double(found[size_t(i)]), double(before[size_t(i)])) << name;
    }
  }
}

template <class T>
class AttentionOnDevice : public testing::Test {};
TYPED_TEST_SUITE(AttentionOnDevice, DeviceNumbers);

std::string name_of(const Case& c, bool plain) {
  return testing::PrintToString(c.queries) + " queries, " + testing::PrintToString(c.keys) + " keys, width " +
         std::to_string(c.width) + (c.causal ? ", causal" : "") + (plain ? ", plain" : "");
}

/// Whether attention() takes tiles, and not the plain version.
template <class T>
bool has_tiles(const Case& c) {
  const bool width = c.width == 32 || c.width == 64 || c.width == 128;
  return width && sizeof(T) < 8 && !(std::is_same_v<T, bf16> && !Cuda::has_bf16());
}

/// f(case, plain) for all that there is to compare; the plain version, a warp a row, is spared the long ones.
template <class T, class F>
void each_case(const F& f) {
  for (const Case& c : cases()) {
    const bool tiles = has_tiles<T>(c);
    for (const bool plain : {false, true}) {
      if ((plain || !tiles) && offsets_of(c.keys).back() > 40) continue;
      if (plain && !tiles) continue;  // the same as attention()
      SCOPED_TRACE(name_of(c, plain));
      f(Computed<T>(c), plain);
    }
  }
}

TYPED_TEST(AttentionOnDevice, IsTheCpus) {
  using T = TypeParam;
  each_case<T>([](const Computed<T>& s, bool plain) {
    Found<T> found(s);
    found.forward(s, plain);
    EXPECT_LE(relative_error(found.o.values(), s.o), device_tolerance<T>);
    EXPECT_LE(relative_error(found.lse.values(), s.lse), std::min(device_tolerance<T>, 2e-6));
  });
}

TYPED_TEST(AttentionOnDevice, GradientsAreTheCpus) {
  using T = TypeParam;
  each_case<T>([](const Computed<T>& s, bool plain) {
    for (const bool add : {false, true}) {
      Found<T> found(s);
      found.forward(s, plain);
      found.backward(s, plain, {found.dq, add}, {found.dk, add}, {found.dv, add});
      expect_gradient_rows(s, found.dq.values(), s.dq, found.before_q, add, "dq");
      expect_gradient_rows(s, found.dk.values(), s.dk, found.before_k, add, "dk");
      expect_gradient_rows(s, found.dv.values(), s.dv, found.before_k, add, "dv");
    }
  });
}

/// Each gradient alone is the same bits as together with the others.
TYPED_TEST(AttentionOnDevice, GradientsThatNobodyWantsAreLeftOut) {
  using T = TypeParam;
  each_case<T>([](const Computed<T>& s, bool plain) {
    Found<T> all(s), alone(s);
    all.forward(s, plain), alone.forward(s, plain);
    all.backward(s, plain, {all.dq}, {all.dk}, {all.dv});
    alone.backward(s, plain, {}, {}, {alone.dv});
    alone.backward(s, plain, {}, {alone.dk}, {});
    alone.backward(s, plain, {alone.dq}, {}, {});
    const auto expect_same = [](const std::vector<T>& x, const std::vector<T>& y) {
      EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size() * sizeof(T)), 0);
    };
    expect_same(all.dq.values(), alone.dq.values());
    expect_same(all.dk.values(), alone.dk.values());
    expect_same(all.dv.values(), alone.dv.values());
  });
}

/// Everything of a case, one after another, of a sequence alone or of all.
template <class T>
std::vector<std::vector<T>> everything(const PackedThere& s, const T* q, const T* k, const T* v, const T* d_o) {
  const Device<T> o(s.q_rows * s.d);
  const Device<Accumulator<T>> lse(s.q_rows * s.shape.heads);
  const std::vector<T> zero_q(size_t(s.q_rows * s.stride), T(0)), zero_k(size_t(s.k_rows * s.stride), T(0));
  const Device<T> dq(zero_q), dk(zero_k), dv(zero_k);
  attention<T>(Cuda(), s.there, q, k, v, o, lse);
  attention_backward<T>(Cuda(), s.there, q, k, v, o, lse, d_o, {dq.data()}, {dk.data()}, {dv.data()});
  return {o.values(), dq.values(), dk.values(), dv.values()};
}

TYPED_TEST(AttentionOnDevice, BitsOfASequenceDoNotDependOnTheOthers) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    if (!has_tiles<T>(c) && offsets_of(c.keys).back() > 40) continue;
    SCOPED_TRACE(name_of(c, false));
    const Computed<T> s(c);
    const auto all = everything<T>(s, s.device_q, s.device_k, s.device_v, s.device_d_o);
    for (size_t b = 0; b < c.queries.size(); ++b) {
      Case alone = c;
      alone.queries = {c.queries[b]}, alone.keys = {c.keys[b]};
      const PackedThere one(alone);
      const int64_t row = s.q_offsets[b], key = s.k_offsets[b];
      const auto found = everything<T>(one, s.device_q + row * s.stride, s.device_k + key * s.stride,
                                       s.device_v + key * s.stride, s.device_d_o + row * s.d);
      const int64_t from[] = {row * s.d, row * s.stride, key * s.stride, key * s.stride};
      for (size_t part = 0; part < found.size(); ++part) {
        const T* const expected = all[part].data() + from[part];
        EXPECT_EQ(found[part].empty() ? 0 : std::memcmp(found[part].data(), expected, found[part].size() * sizeof(T)),
                  0)
            << "part " << part << " of sequence " << b;
      }
    }
  }
}

/// More sequences than a warp looks through at once, and no multiple of what it then skips; some are empty.
TYPED_TEST(AttentionOnDevice, FindsTheRowsOfManySequences) {
  using T = TypeParam;
  std::vector<int64_t> queries, keys;
  for (int64_t b = 0; b < 70; ++b) queries.push_back(b % 3), keys.push_back(1 + b % 2);
  for (const int64_t width : {8, 32}) {
    const Computed<T> s(Case{queries, keys, 1, width, false});
    Found<T> found(s);
    found.forward(s, false);
    found.backward(s, false, {found.dq}, {found.dk}, {found.dv});
    EXPECT_LE(relative_error(found.o.values(), s.o), device_tolerance<T>) << width;
    expect_gradient_rows(s, found.dq.values(), s.dq, found.before_q, false, "dq");
    expect_gradient_rows(s, found.dk.values(), s.dk, found.before_k, false, "dk");
    expect_gradient_rows(s, found.dv.values(), s.dv, found.before_k, false, "dv");
  }
}

/// Scores climb from key to key by a hundred in all, so that later tiles raise the maximum again and again; or they
/// fall, and the first tile's maximum must stay.
TYPED_TEST(AttentionOnDevice, MaximaThatRiseOrFallFromTileToTile) {
  using T = TypeParam;
  for (const bool falls : {false, true}) {
    for (const int64_t width : {32, 64, 128}) {
      SCOPED_TRACE(testing::Message() << "width " << width << (falls ? ", falling" : ", rising"));
      const int64_t n = 2, m = 150;
      const PackedThere s(Case{{n}, {m}, 1, width, false});
      std::vector<T> q(size_t(n * width), T(0.0f)), k(size_t(m * width), T(0.0f));
      const auto v = draw<T>(m * width, 3);
      for (int64_t i = 0; i < n; ++i) q[size_t(i * width)] = T(float(8 * (i + 1)));
      for (int64_t j = 0; j < m; ++j) k[size_t(j * width)] = T(float((falls ? m - 1 - j : j) / 4));
      const auto x = as<double>(q), y = as<double>(k), z = as<double>(v);
      std::vector<double> o(q.size()), lse(static_cast<size_t>(n));
      attention<double>(Cpu(), s.shape, x.data(), y.data(), z.data(), o.data(), lse.data());
      const Device<T> device_q(q), device_k(k), device_v(v), found(n * width);
      const Device<Accumulator<T>> found_lse(n);
      attention<T>(Cuda(), s.there, device_q, device_k, device_v, found, found_lse);
      EXPECT_LE(relative_error(found.values(), o), device_tolerance<T>);
      EXPECT_LE(relative_error(found_lse.values(), lse), 1e-6);
    }
  }
}

/// Keys that are alike have equal weights, and no query has a gradient: what is left are rounding errors.
TYPED_TEST(AttentionOnDevice, AlikeKeysGiveQueriesNoGradient) {
  using T = TypeParam;
  const int64_t n = 3, m = 24, width = 64;
  const PackedThere s(Case{{n}, {m}, 1, width, false});
  const auto q = draw<T>(n * width, 1), key = draw<T>(width, 2), v = draw<T>(m * width, 3), d_o = draw<T>(n * width, 4);
  std::vector<T> k;
  for (int64_t j = 0; j < m; ++j) k.insert(k.end(), key.begin(), key.end());
  const Device<T> device_q(q), device_k(k), device_v(v), device_d_o(d_o);
  const auto found = everything<T>(s, device_q, device_k, device_v, device_d_o);
  for (const T x : found[1]) EXPECT_LE(std::abs(double(x)), 5 * device_tolerance<T>);
}

/// A key infinitely far from all queries has weight 0, whatever tiles are padded with.
TYPED_TEST(AttentionOnDevice, TheValueOfAKeyThatNobodySeesHasNoGradient) {
  using T = TypeParam;
  const int64_t n = 3, m = 24, far = 5;
  for (const int64_t width : {8, 64}) {
    const PackedThere s(Case{{n}, {m}, 1, width, false});
    auto q = draw<T>(n * width, 1), k = draw<T>(m * width, 2);
    for (int64_t i = 0; i < n; ++i) q[size_t(i * width)] = T(-1.0f);
    k[size_t(far * width)] = T(std::numeric_limits<float>::infinity());
    const Device<T> device_q(q), device_k(k), device_v(draw<T>(m * width, 3)), device_d_o(draw<T>(n * width, 4));
    const auto dv = everything<T>(s, device_q, device_k, device_v, device_d_o)[3];
    for (int64_t c = 0; c < width; ++c) EXPECT_EQ(double(dv[size_t(far * width + c)]), 0) << width;
  }
}

/// A query's NaN is in its row, a key's in the rows that see it.
TYPED_TEST(AttentionOnDevice, ShowsNaNInItsRowsAlone) {
  using T = TypeParam;
  for (const int64_t width : {8, 64}) {
    const int64_t n = 20, m = 70;
    auto q = draw<T>((n + 2) * width, 1), k = draw<T>((m + 2) * width, 2);
    const auto v = draw<T>((m + 2) * width, 3);
    const auto rows_with_nan = [&](bool causal) {
      const PackedThere s(Case{{n, 2}, {m, 2}, 1, width, causal});
      const Device<T> device_q(q), device_k(k), device_v(v), o((n + 2) * width);
      attention<T>(Cuda(), s.there, device_q, device_k, device_v, o, nullptr);
      const auto values = o.values();
      std::vector<int64_t> rows;
      for (int64_t i = 0; i < n + 2; ++i) {
        if (std::isnan(double(values[size_t(i * width)]))) rows.push_back(i);
      }
      return rows;
    };
    const T nan(std::numeric_limits<float>::quiet_NaN()), q_before = q[size_t(17 * width)];
    q[size_t(17 * width)] = nan;
    EXPECT_EQ(rows_with_nan(false), std::vector<int64_t>{17});
    const T k_before = k[size_t(66 * width)];
    q[size_t(17 * width)] = q_before, k[size_t(66 * width)] = nan;  // a key of the last tile
    EXPECT_EQ(rows_with_nan(false).size(), size_t(n));
    k[size_t(66 * width)] = k_before, k[size_t(62 * width)] = nan;  // one that some rows of a tile do not see
    EXPECT_EQ(rows_with_nan(true), (std::vector<int64_t>{12, 13, 14, 15, 16, 17, 18, 19}));
  }
}

TYPED_TEST(AttentionOnDevice, TwiceTheSameBits) {
  using T = TypeParam;
  const Computed<T> s(Case{{20, 3}, {67, 9}, 1, 64, false});
  expect_same_again([&] {
    std::vector<T> all;
    for (const auto& part : everything<T>(s, s.device_q, s.device_k, s.device_v, s.device_d_o)) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  });
}

/// Rows that find the keys of their positions in different places, as on the CPU.
TYPED_TEST(AttentionOnDevice, AStepIsTheCpus) {
  using T = TypeParam;
  for (const int64_t positions : {1, 4, 6}) {
    for (const int64_t width : {1, 8, 24, 32, 64, 67, 128}) {
      SCOPED_TRACE(testing::Message() << positions << " positions of width " << width);
      const int64_t rows = 11, heads = 3, d = heads * width;
      const auto q = draw<T>(rows * d, 1);
      std::vector<std::unique_ptr<Device<T>>> device;
      std::vector<std::vector<double>> host;
      std::vector<const T*> k, v;
      std::vector<const double*> host_k, host_v;
      std::vector<int32_t> at(size_t(positions * rows));
      for (int64_t p = 0; p < positions; ++p) {
        const int64_t there = 5 + 8 * p;
        for (int64_t r = 0; r < rows; ++r) at[size_t(p * rows + r)] = int32_t((r * 7 + p) % there);
        for (const uint64_t seed : {10, 20}) {
          const auto values = draw<T>(there * d, seed + uint64_t(p));
          device.push_back(std::make_unique<Device<T>>(values));
          host.push_back(as<double>(values));
          (seed == 10 ? k : v).push_back(device.back()->data());
          (seed == 10 ? host_k : host_v).push_back(host.back().data());
        }
      }
      const Device<T> device_q(q), found(rows * d);
      const Device<const T*> device_k(k), device_v(v);
      const Device<int32_t> device_at(at);
      std::vector<double> expected(q.size());
      attention_step<double>(Cpu(), rows, heads, width, positions, at.data(), as<double>(q).data(), host_k.data(),
                             host_v.data(), expected.data());
      attention_step<T>(Cuda(), rows, heads, width, positions, device_at, device_q, device_k, device_v, found);
      EXPECT_LE(relative_error(found.values(), expected), device_tolerance<T>);
    }
  }
}

TEST(AttentionOnDeviceOfNothing, IsNothing) {
  const PackedThere s(Case{{}, {}, 1, 64, false});
  attention<float>(Cuda(), s.there, nullptr, nullptr, nullptr, nullptr, nullptr);
  attention_backward<float>(Cuda(), s.there, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, {}, {}, {});
  EXPECT_EQ(Cuda::error(), nullptr);
}

}  // namespace
}  // namespace kernels
