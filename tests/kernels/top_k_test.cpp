#include "tests/kernels/beams.h"

namespace kernels {
namespace {

struct Found {
  std::vector<std::vector<Extension>> lists;
  std::vector<int32_t> count;
};

void expect_equal(const Found& a, const Found& b) {
  ASSERT_EQ(a.count, b.count);
  for (size_t q = 0; q < a.lists.size(); ++q) {
    for (size_t i = 0; i < a.lists[q].size(); ++i) {
      SCOPED_TRACE(testing::Message() << "query " << q << ", place " << i);
      expect_equal(a.lists[q][i], b.lists[q][i]);
    }
  }
}

/// run(found, count, scratch) with guards behind all three.
template <class Run>
Found run_guarded(int64_t queries, int64_t k, int64_t scratch_size, const Run& run) {
  const Extension guard{1.5, 2, 3, 4};
  std::vector<Extension> found(size_t(queries * k + 1), guard), scratch(size_t(scratch_size + 1), guard);
  std::vector<int32_t> count(size_t(queries + 1), 77);
  run(found.data(), count.data(), scratch.data());
  for (const auto* list : {&found, &scratch}) {
    EXPECT_EQ(list->back().score, guard.score);
    EXPECT_EQ(list->back().token, guard.token);
  }
  EXPECT_EQ(count.back(), 77);
  count.pop_back();
  Found result{{}, count};
  for (int64_t q = 0; q < queries; ++q) {
    const auto first = found.begin() + q * k;
    result.lists.emplace_back(first, first + std::max(count[size_t(q)], 0));
  }
  return result;
}

template <class T>
Found fast(const Beams<T>& beams, int64_t k) {
  return run_guarded(beams.queries, k, 0,
                     [&](auto* found, auto* count, auto*) { top_k(Cpu(), beams, k, found, count); });
}

template <class T>
Found plain(const Beams<T>& beams, int64_t k) {
  return run_guarded(beams.queries, k, beams.width * beams.vocabulary,
                     [&](auto* found, auto* count, auto* scratch) { top_k_plain(beams, k, found, count, scratch); });
}

template <class T>
class TopK : public testing::Test {};
TYPED_TEST_SUITE(TopK, Numbers);

TYPED_TEST(TopK, EqualsThePlainFormBitForBit) {
  for (const int64_t vocabulary : {1, 2, 63, 64, 65, 128, 300}) {
    for (const double share : {0.02, 0.5, 1.0}) {
      const Step<TypeParam> step({1, 5, 0, 17, 3}, vocabulary, share, uint64_t(vocabulary));
      for (const TreeLevel& level : {step.level.view, TreeLevel{}}) {
        for (const int64_t k : {1, 5, 50, 6000}) {
          SCOPED_TRACE(testing::Message() << vocabulary << " tokens, share " << share << ", k " << k);
          expect_equal(fast(step.beams(level), k), plain(step.beams(level), k));
        }
      }
    }
  }
}

TYPED_TEST(TopK, EveryFormOfALevelRestrictsLikeTheBits) {
  for (const int64_t vocabulary : {5, 64, 200, 300}) {
    for (const double share : {0.02, 0.4, 1.0}) {
      const Step<TypeParam> step({1, 5, 0, 17, 3}, vocabulary, share, uint64_t(vocabulary));
      for (const Form form : forms) {
        if (!fits(form, vocabulary) || (form == Form::counted && share < 1)) continue;
        const Level level(step.followers, vocabulary, form);
        for (const int64_t k : {1, 7, 2000}) expect_equal(fast(step.beams(level.view), k), plain(step.beams(), k));
      }
    }
  }
}

TYPED_TEST(TopK, ScoresAreLogSoftmaxOverTheWholeVocabulary) {
  const int64_t vocabulary = 70;
  const Step<TypeParam> step({2, 3}, vocabulary, 0.4, 5);
  const Found found = fast(step.beams(), 1000);
  size_t allowed = 0, listed = 0;
  const auto followers = [&](int64_t row) -> const Tokens& { return step.followers[size_t(step.rank[size_t(row)])]; };
  for (int64_t row = 0; row < step.rows(); ++row) allowed += step.lives(row) ? followers(row).size() : 0;
  for (const auto& list : found.lists) {
    listed += list.size();
    for (const Extension& e : list) {
      EXPECT_TRUE(followers(e.row).contains(e.token));
      const TypeParam* const x = step.logits.data() + e.row * vocabulary;
      double total = 0;
      for (int64_t t = 0; t < vocabulary; ++t) total += std::exp(double(x[t]));
      EXPECT_NEAR(e.score, step.score[size_t(e.row)] + double(x[e.token]) - std::log(total), 20 * tolerance<TypeParam>);
    }
  }
  EXPECT_EQ(listed, allowed);
}

TYPED_TEST(TopK, EqualScoresPreferTheSmallerPrefix) {
  Step<TypeParam> step({3, 2}, 130, 1, 6);  // three rows, two and a dead one
  std::fill(step.logits.begin(), step.logits.end(), TypeParam(0.25));
  std::fill(step.score.begin(), step.score.end(), -1.0);
  step.rank = {5, 2, 4, 1, 0, 0};
  for (const int64_t k : {1, 7, 129, 131, 390}) {
    const Found found = fast(step.beams(), k);
    expect_equal(found, plain(step.beams(), k));
    for (size_t i = 0; i < found.lists[0].size(); ++i) {
      EXPECT_EQ(found.lists[0][i].row, i < 130 ? 1 : i < 260 ? 2 : 0);
      EXPECT_EQ(found.lists[0][i].token, int32_t(i % 130));
    }
  }
}

TYPED_TEST(TopK, SmallDifferencesAndHugeScoresAreNotLost) {
  Step<TypeParam> step({8, 8}, 128, 0.7, 7);
  const TypeParam little = std::numeric_limits<TypeParam>::epsilon();
  for (size_t i = 0; i < step.logits.size(); ++i) step.logits[i] = 1 + little * TypeParam((i * 31) % 17);
  for (size_t r = 0; r < 8; ++r) step.score[r] = -1e30, step.score[8 + r] = -1e-30 * double(r);
  for (const int64_t k : {1, 3, 20}) expect_equal(fast(step.beams(), k), plain(step.beams(), k));
}

TYPED_TEST(TopK, ProbabilityZeroIsNeverFoundAndNoNumbersMakeTheCountNegative) {
  const TypeParam none = -infinity<TypeParam>, nan = std::numeric_limits<TypeParam>::quiet_NaN();
  Step<TypeParam> step({2, 2, 2, 1, -1}, 80, 1, 8);
  for (int64_t t = 0; t < 80; ++t) {
    if (t != 3) step.logits[size_t(t)] = none;  // row 0: one token is left
    step.logits[size_t(6 * 80 + t)] = none;     // row 6: none
  }
  step.logits[size_t(3 * 80 + 70)] = nan;                  // row 3
  step.logits[size_t(4 * 80 + 70)] = infinity<TypeParam>;  // row 4
  const Found found = fast(step.beams(), 500);
  EXPECT_EQ(found.count, (std::vector<int32_t>{81, -1, -1, -1, -1}));
  expect_equal(found, plain(step.beams(), 500));
  for (const Extension& e : found.lists[0]) EXPECT_GT(e.score, -infinity<double>);
}

TYPED_TEST(TopK, IsTheSameWithAnyNumberOfThreads) {
  const Step<TypeParam> step(std::vector<int32_t>(40, 9), 128, 0.3, 9);
  expect_same_for_any_threads([&] {
    std::vector<double> all;
    for (const auto& list : fast(step.beams(), 12).lists) {
      for (const Extension& e : list) all.insert(all.end(), {e.score, double(e.row), double(e.token)});
    }
    return all;
  });
}

TYPED_TEST(TopK, ThereMayBeNoQueries) {
  const Step<TypeParam> step({}, 10, 1, 10);
  EXPECT_TRUE(fast(step.beams(), 3).count.empty());
}

}  // namespace
}  // namespace kernels
