#include "kernels/graph.h"
#include "tests/cuda/trees.h"
#include "tests/kernels/beams.h"

namespace kernels {
namespace {

template <class T>
class TopKOnDevice : public testing::Test {};
TYPED_TEST_SUITE(TopKOnDevice, DeviceNumbers);

struct Found {
  std::vector<Extension> list;
  std::vector<int32_t> count;
};

/// What run(find) leaves, where find(k) is the kernel's launch. `level`: on the device.
template <class T, class Run>
Found on_device(const Step<T>& step, int64_t k, const TreeLevel& level, const Run& run) {
  const Device<T> logits(step.logits);
  const Device<double> score(step.score);
  const Device<int32_t> rank(step.rank), alive(step.alive), count(step.queries());
  const Device<Extension> found(step.queries() * k);
  const Beams<T> beams{logits, score, rank, alive, step.queries(), step.width, step.vocabulary, level};
  run([&](int64_t few) { top_k(Cuda(), beams, few, found.data(), count.data()); });
  return {found.values(), count.values()};
}
template <class T>
Found on_device(const Step<T>& step, int64_t k, const TreeLevel& level) {
  return on_device(step, k, level, [=](const auto& find) { find(k); });
}
template <class T>
Found on_device(const Step<T>& step, int64_t k) {
  return on_device(step, k, DeviceLevel(step.level).view);
}

/// The CPU twin on the same numbers, in the type that both compute in.
template <class T>
Found on_cpu(const Step<T>& step, int64_t k, const TreeLevel& level) {
  using A = Accumulator<T>;
  const std::vector<A> logits = as<A>(step.logits);
  Found result{std::vector<Extension>(size_t(step.queries() * k)), std::vector<int32_t>(step.alive.size())};
  const Beams<A> beams{logits.data(),  step.score.data(), step.rank.data(), step.alive.data(),
                       step.queries(), step.width,        step.vocabulary,  level};
  top_k(Cpu(), beams, k, result.list.data(), result.count.data());
  return result;
}
template <class T>
Found on_cpu(const Step<T>& step, int64_t k) {
  return on_cpu(step, k, step.level.view);
}

/// The same extensions, each list in the order of its own scores: those closer than what two ways to compute them may
/// differ by can have changed places.
void expect_same(Found found, const Found& expected, int64_t k) {
  constexpr double close = 1e-5;
  ASSERT_EQ(found.count, expected.count);
  for (size_t q = 0; q < found.count.size(); ++q) {
    Extension* const list = found.list.data() + q * size_t(k);
    const Extension* const wanted = expected.list.data() + q * size_t(k);
    const int32_t n = found.count[q];
    EXPECT_TRUE(n < 2 || std::is_sorted(list, list + n)) << "query " << q;
    for (int32_t i = 0; i < n; ++i) {
      SCOPED_TRACE(testing::Message() << "query " << q << ", place " << i);
      const auto same = std::find_if(
          list + i, list + n, [&](const Extension& e) { return e.row == wanted[i].row && e.token == wanted[i].token; });
      if (same != list + n && std::abs(same->score - list[i].score) < close) std::swap(*same, list[i]);
      expect_equal(list[i], wanted[i], close);
    }
  }
}

TYPED_TEST(TopKOnDevice, FindsTheCpusExtensionsInItsOrder) {
  for (const int64_t vocabulary : {1, 65, 128}) {
    for (const double share : {0.03, 1.0}) {
      const Step<TypeParam> step({1, 5, 0, 11}, vocabulary, share, uint64_t(vocabulary));
      for (const int64_t k : {1, 5, 50, 2000}) {
        SCOPED_TRACE(testing::Message() << vocabulary << " tokens, share " << share << ", k " << k);
        expect_same(on_device(step, k), on_cpu(step, k), k);
      }
      expect_same(on_device(step, 7, TreeLevel{}), on_cpu(step, 7, TreeLevel{}), 7);
    }
  }
}

TYPED_TEST(TopKOnDevice, LongRowsAreABlocks) {
  const Step<TypeParam> step({3, 1}, 1100, 0.5, 1);
  for (const int64_t k : {4, 300}) expect_same(on_device(step, k), on_cpu(step, k), k);
}

TYPED_TEST(TopKOnDevice, EveryFormOfALevelRestrictsLikeTheCpusBits) {
  for (const int64_t vocabulary : {70, 300}) {
    for (const double share : {0.05, 1.0}) {
      const Step<TypeParam> step({2, 4}, vocabulary, share, uint64_t(vocabulary));
      for (const Form form : forms) {
        if (!fits(form, vocabulary) || (form == Form::counted && share < 1)) continue;
        const DeviceLevel level(Level(step.followers, vocabulary, form));
        expect_same(on_device(step, 6, level.view), on_cpu(step, 6), 6);
      }
    }
  }
}

/// More candidates reach the bar than there is room for: all are equal, or all good ones are one thread's.
TYPED_TEST(TopKOnDevice, TiesFallByPrefixAndTokenHoweverManyThereAre) {
  Step<TypeParam> step({3, 4}, 130, 1, 6);
  std::fill(step.logits.begin(), step.logits.end(), TypeParam(0.25f));
  std::fill(step.score.begin(), step.score.end(), -1.0);
  for (const int64_t k : {1, 7, 131, 300}) {
    const Found found = on_device(step, k), expected = on_cpu(step, k);
    expect_same(found, expected, k);
    for (int64_t i = 1; i < std::min<int64_t>(k, found.count[0]); ++i) {
      EXPECT_LT(found.list[size_t(i - 1)], found.list[size_t(i)]);
    }
  }
}

TYPED_TEST(TopKOnDevice, GoodExtensionsThatOneThreadHoldsAreAllFound) {
  Step<TypeParam> step(std::vector<int32_t>{8}, 1024, 1, 2);
  for (int64_t i = 0; i < 8 * 1024; ++i) {
    const bool good = i % 1024 % 32 < 2;
    step.logits[size_t(i)] = TypeParam(float(good ? 4 + i % 7 * 0.25 : 0.125));
  }
  for (const int64_t k : {40, 130}) expect_same(on_device(step, k), on_cpu(step, k), k);
}

TYPED_TEST(TopKOnDevice, ProbabilityZeroIsNeverFoundAndNoNumbersMakeTheCountNegative) {
  const TypeParam none{-infinity<float>}, nan{std::numeric_limits<float>::quiet_NaN()}, more{infinity<float>};
  Step<TypeParam> step({2, 2, 2, 1, -1}, 80, 1, 8);
  for (int64_t t = 0; t < 80; ++t) {
    if (t != 3) step.logits[size_t(t)] = none;  // row 0: one token is left
    step.logits[size_t(6 * 80 + t)] = none;     // row 6: none
  }
  step.logits[size_t(3 * 80 + 70)] = nan;
  step.logits[size_t(4 * 80 + 70)] = more;
  const Found found = on_device(step, 100);
  EXPECT_EQ(found.count, (std::vector<int32_t>{81, -1, -1, -1, -1}));
  expect_same(found, on_cpu(step, 100), 100);
}

/// Shared memory of 48 KiB with the kernel's own arrays, and more; a launch with less takes it from no recorded one.
TYPED_TEST(TopKOnDevice, HasTheSharedMemoryThatItNeeds) {
  const Step<TypeParam> step({2}, 33, 1, 4);
  for (const int64_t k : {1791, 2000}) expect_same(on_device(step, k), on_cpu(step, k), k);
  const Found replayed = on_device(step, 2000, DeviceLevel(step.level).view, [](const auto& find) {
    CudaGraph graph;
    graph.begin();
    find(2000);
    graph.end();
    find(1800);
    graph.launch();
  });
  expect_same(replayed, on_cpu(step, 2000), 2000);
}

TYPED_TEST(TopKOnDevice, TwiceTheSameBits) {
  const Step<TypeParam> step({5, 3}, 128, 0.5, 9);
  expect_same_again([&] {
    std::vector<double> all;
    const Found found = on_device(step, 9);
    for (const Extension& e : found.list) all.insert(all.end(), {e.score, double(e.row), double(e.token)});
    return all;
  });
}

TYPED_TEST(TopKOnDevice, ThereMayBeNoQueries) {
  const Beams<TypeParam> beams{nullptr, nullptr, nullptr, nullptr, 0, 5, 10};
  top_k(Cuda(), beams, 3, nullptr, nullptr);
  EXPECT_EQ(Cuda::error(), nullptr);
}

}  // namespace
}  // namespace kernels
