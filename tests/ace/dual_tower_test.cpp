#include "ace/dual_tower.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ace/tiny.h"

namespace ace {
namespace {

using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

DualTowerOptions sizes() {
  DualTowerOptions options;
  options.vocabulary = 20, options.width = 16, options.heads = 2, options.inner = 32, options.layers = 2;
  options.item_width = 12;
  return options;
}

Tensor draw(Shape shape, tensor::Random& random, DType type = DType::f32) {
  Tensor x(shape, DType::f64);
  for (double& value : x.values<double>()) value = random.normal();
  return x.to(type);
}

double dot(const Tensor& a, int64_t i, const Tensor& b, int64_t j) {
  double sum = 0;
  for (int64_t c = 0; c < a.cols(); ++c) {
    sum += double(a.data<float>()[i * a.cols() + c]) * double(b.data<float>()[j * b.cols() + c]);
  }
  return sum;
}

TEST(DualTower, PoolsTheMeanOfEachSequence) {
  tensor::Random random(1);
  const Tensor x = draw({9, 8}, random, DType::f64);
  const std::vector<int64_t> lengths = {4, 1, 3, 1};
  const nn::Variable pooled = mean_pool(nn::Variable(x), nn::Sequences::of_lengths(lengths).offsets, 2);
  ASSERT_EQ(pooled.shape(), (Shape{4, 8}));
  for (int64_t b = 0, row = 0; b < 4; row += lengths[size_t(b++)]) {
    for (int64_t c = 0; c < 8; ++c) {
      double mean = 0;
      for (int64_t t = 0; t < lengths[size_t(b)]; ++t) mean += x.data<double>()[(row + t) * 8 + c];
      EXPECT_NEAR(pooled.data<double>()[b * 8 + c], mean / double(lengths[size_t(b)]), 1e-14);
    }
  }
}

TEST(DualTower, EmbeddingIsTheProjectedMeanAtLengthOne) {
  nn::Initializer init(1);
  const DualTower tower(sizes(), init);
  nn::Parameters parameters = nn::parameters(tower);
  const Tensor weight = parameters[parameters.size() - 2].variable.value();
  ASSERT_EQ(parameters[parameters.size() - 2].name, "projection.weight");
  const Tensor bias = parameters.back().variable.value();
  tensor::Random random(2);
  for (float& b : bias.values<float>()) b = float(random.normal());

  nn::Initializer same(1);
  const nn::Encoder encoder(20, 16, 2, 32, 2, same);  // drawn first, so equal to the tower's
  const nn::TextBatch text = nn::TextBatch::pack(tiny::draw_queries(5, 7, random));
  nn::Pass pass;
  const Tensor encoded = encoder.forward(text, pass).back().value();
  const Tensor found = tower.embed(text);
  ASSERT_EQ(found.shape(), (Shape{5, 12}));
  const int32_t* offsets = text.sequences.offsets.data<int32_t>();
  for (int64_t b = 0; b < 5; ++b) {
    std::vector<double> y(12);
    double squares = 0;
    for (int64_t o = 0; o < 12; ++o) {
      for (int32_t row = offsets[b]; row < offsets[b + 1]; ++row) y[size_t(o)] += dot(encoded, row, weight, o);
      y[size_t(o)] = y[size_t(o)] / double(offsets[b + 1] - offsets[b]) + double(bias.data<float>()[o]);
      squares += y[size_t(o)] * y[size_t(o)];
    }
    for (int64_t o = 0; o < 12; ++o) {
      EXPECT_NEAR(found.data<float>()[b * 12 + o], y[size_t(o)] / std::sqrt(squares), 1e-5);
    }
  }
}

TEST(DualTower, ATextsVectorIsItsOwnWhateverItIsBatchedWith) {
  nn::Initializer init(3);
  const DualTower tower(sizes(), init);
  tensor::Random random(4);
  const auto queries = tiny::draw_queries(6, 9, random);
  const Tensor together = tower.embed(nn::TextBatch::pack(queries));
  for (size_t q = 0; q < queries.size(); ++q) {
    const Tensor alone = tower.embed(nn::TextBatch::pack(std::span(&queries[q], 1)));
    for (int64_t c = 0; c < 12; ++c) {
      EXPECT_NEAR(alone.data<float>()[c], together.data<float>()[int64_t(q) * 12 + c], 1e-5);
    }
  }
}

/// All items by their score, in f32 like the products, then by item.
std::vector<Match> sorted_matches(const Tensor& queries, int64_t q, const Tensor& items) {
  std::vector<Match> all;
  for (int64_t i = 0; i < items.rows(); ++i) all.push_back({float(dot(queries, q, items, i)), int32_t(i)});
  std::stable_sort(all.begin(), all.end(), [](const Match& a, const Match& b) { return a.score > b.score; });
  return all;
}

TEST(DualTower, FindsTheItemsOfLargestProductOverSeveralBlocks) {
  tensor::Random random(5);
  const Tensor queries = draw({3, 7}, random);
  for (const int64_t n : {1, 9, 4096, 9001}) {
    const Tensor items = draw({n, 7}, random);
    for (const int threads : {1, 3}) {
      kernels::set_threads(threads);
      const auto found = best_items(queries, items, 10);
      kernels::set_threads(0);
      ASSERT_EQ(found.size(), 3u);
      for (int64_t q = 0; q < 3; ++q) {
        const std::vector<Match> expected = sorted_matches(queries, q, items);
        ASSERT_EQ(found[size_t(q)].size(), size_t(std::min<int64_t>(10, n)));
        for (size_t i = 0; i < found[size_t(q)].size(); ++i) {
          EXPECT_EQ(found[size_t(q)][i].item, expected[i].item) << n << " items, query " << q << ", place " << i;
          EXPECT_NEAR(found[size_t(q)][i].score, expected[i].score, 1e-5);
        }
      }
    }
  }
}

TEST(DualTower, OfEqualProductsTheSmallerItemsWin) {
  const Tensor query = Tensor::of<float>({1, 2}, {1, 0});
  Tensor items = tensor::zeros({5000, 2}, DType::f32);
  for (int64_t i = 0; i < 5000; ++i) items.data<float>()[2 * i] = float(i % 50);  // 49 at 49, 99, …
  const auto found = best_items(query, items, 4);
  const std::vector<Match> expected = {{49, 49}, {49, 99}, {49, 149}, {49, 199}};
  EXPECT_EQ(found[0], expected);
}

TEST(DualTower, AProductThatIsNotANumberIsNoMatch) {
  const Tensor query = Tensor::of<float>({1, 1}, {1});
  const Tensor items = Tensor::of<float>({4, 1}, {NAN, 2, NAN, 3});
  const std::vector<Match> expected = {{3, 3}, {2, 1}};
  EXPECT_EQ(best_items(query, items, 3)[0], expected);
  EXPECT_EQ(best_items(query, items, 2)[0], expected);
}

TEST(DualTower, OtherWidthsAreRefused) {
  const Tensor queries = tensor::zeros({2, 3}, DType::f32), items = tensor::zeros({5, 4}, DType::f32);
  EXPECT_EQ(message_of([&] { best_items(queries, items, 1); }),
            "dual tower: expected items of width 3, as queries have, found 4");
}

}  // namespace
}  // namespace ace
