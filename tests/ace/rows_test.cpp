#include "ace/rows.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/backend.h"
#include "tests/files.h"

namespace ace {
namespace {

using tensor::DType;
using tensor::Tensor;

Tensor draw(int64_t rows, int64_t width, uint64_t seed) {
  tensor::Random random(seed);
  Tensor x({rows, width}, DType::f32);
  for (float& value : x.values<float>()) value = float(random.normal());
  return x;
}

std::vector<float> numbers(const Tensor& x) { return {x.values<float>().begin(), x.values<float>().end()}; }

TEST(Rows, GetLengthOneInEveryType) {
  const Tensor x = Tensor::of<float>({2, 2}, {3, 4, 0, -0.5f});
  for (auto type : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
    EXPECT_EQ(numbers(Rows(x.to(type), true).block(0, 2)), (std::vector<float>{0.6f, 0.8f, 0, -1})) << name_of(type);
  }
  EXPECT_EQ(numbers(Rows(Tensor::of<float>({1, 2}, {3e38f, 0}), true).block(0, 1))[0], 1.0f);
  EXPECT_EQ(numbers(Rows(Tensor::of<float>({1, 2}, {1e-40f, 0}), true).block(0, 1))[0], 1.0f);
  EXPECT_EQ(numbers(Rows(Tensor::of<float>({1, 2}, {6e-8f, 0}).to(DType::f16), true).block(0, 1))[0], 1.0f);
}

TEST(Rows, EveryHalfPrecisionNumberIsReadExactly) {
  Tensor x({1, 63488}, DType::f16);  // all but infinities and NaNs
  int64_t at = 0;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    if ((bits & 0x7c00) != 0x7c00) x.data<tensor::f16>()[at++].bits = uint16_t(bits);
  }
  EXPECT_EQ(numbers(Rows(x).block(0, 1)), numbers(x.to(DType::f32)));
}

TEST(Rows, ABlockIsWhatGatherGivesOneByOneWithAnyNumberOfThreads) {
  const int64_t n = 530, width = 37;
  const Tensor x = draw(n, width, 1), centroids = draw(3, width, 2);
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(int32_t(i % 3));
  for (auto type : {DType::f16, DType::f32, DType::f64}) {
    for (const bool unit : {false, true}) {
      const Rows rows = Rows(x.to(type), unit).less(centroids, labels);
      kernels::set_threads(3);
      const std::vector<float> whole = numbers(rows.block(0, n));
      kernels::set_threads(1);
      std::vector<float> pieces, single;
      for (int64_t begin = 0; begin < n; begin += 77) {
        const std::vector<float> piece = numbers(rows.block(begin, std::min(begin + 77, n)));
        pieces.insert(pieces.end(), piece.begin(), piece.end());
      }
      for (int64_t i = 0; i < n; ++i) {
        const std::vector<float> row = numbers(rows.gather(std::vector<int64_t>{i}));
        single.insert(single.end(), row.begin(), row.end());
      }
      EXPECT_EQ(whole, pieces);
      EXPECT_EQ(whole, single);
    }
  }
  kernels::set_threads(0);
}

TEST(Rows, AreTheFormula) {
  const int64_t n = 20, width = 9;
  const Tensor x = draw(n, width, 3), centroids = draw(2, width, 4);
  std::vector<int32_t> labels(20, 0);
  labels[7] = 1;
  const std::vector<float> found = numbers(Rows(x, true).less(centroids, labels).block(0, n));
  for (size_t i = 0; i < 20; ++i) {
    double square = 0;
    for (size_t c = 0; c < 9; ++c) square += std::pow(double(x.values<float>()[i * 9 + c]), 2);
    for (size_t c = 0; c < 9; ++c) {
      const double expected = double(x.values<float>()[i * 9 + c]) / std::sqrt(square) -
                              double(centroids.values<float>()[size_t(labels[i]) * 9 + c]);
      EXPECT_NEAR(found[i * 9 + c], expected, 1e-6);
    }
  }
}

TEST(Rows, ASelectionShowsItsItemsAlone) {
  const Tensor x = draw(10, 4, 5);
  const Rows some = Rows(x).only({7, 2, 2});
  EXPECT_EQ(some.count(), 3);
  EXPECT_EQ(numbers(some.block(1, 3)), numbers(Rows(x).gather(std::vector<int64_t>{2, 2})));
  EXPECT_EQ(numbers(some.gather(std::vector<int64_t>{0})), numbers(x.range(7, 8)));
}

TEST(Rows, OfFloatsAsTheyAreAreNotCopied) {
  const Tensor x = draw(10, 4, 6);
  EXPECT_EQ(Rows(x).block(3, 5).raw(), x.range(3, 5).raw());
}

TEST(Rows, WithoutADirectionAreRefusedByNumber) {
  const auto message = [](std::initializer_list<float> values, DType type) {
    const Rows rows(Tensor::of<float>({3, 2}, values).to(type), true);
    const std::string whole = message_of([&] { rows.block(0, 3); });
    const std::string picked = message_of([&] { rows.gather(std::vector<int64_t>{2, 1, 0}); });
    EXPECT_EQ(whole, picked);
    return whole;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
  for (auto type : {DType::f16, DType::f32, DType::f64}) {
    EXPECT_EQ(message({1, 0, 0, 0, 1, 1}, type), "embeddings: row 1 is all zeros or not finite, and has no direction");
    EXPECT_EQ(message({1, 0, 1, 0, nan, 1}, type),
              "embeddings: row 2 is all zeros or not finite, and has no direction");
    EXPECT_EQ(message({infinite, 0, 1, 0, 1, 1}, type),
              "embeddings: row 0 is all zeros or not finite, and has no direction");
  }
  EXPECT_EQ(message_of([&] {
              Rows(Tensor::of<float>({2, 1}, {1, nan}).to(DType::f16)).block(0, 2);
            }),
            "embeddings: row 1 holds a number that is not finite");
  EXPECT_THROW(Rows(Tensor::of<int32_t>({1, 1}, {1})), tensor::Error);
}

TEST(Windows, OfFewRowsAreAllRows) {
  Windows windows(5, tensor::Random(1));
  EXPECT_EQ(windows.next(), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(windows.next(), (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(Windows, OfManyRowsGoThroughAllOfThemOnceARound) {
  const int64_t rows = 700'001;
  Windows windows(rows, tensor::Random(1));
  for (int round = 0; round < 2; ++round) {
    std::vector<int64_t> seen;
    while (int64_t(seen.size()) < rows) {
      const std::vector<int64_t> window = windows.next();
      ASSERT_FALSE(window.empty());
      ASSERT_LE(window.size(), size_t(1) << 17);
      const double mean = std::accumulate(window.begin(), window.end(), 0.0) / double(window.size());
      EXPECT_NEAR(mean, double(rows) / 2, 0.1 * double(rows)) << "from all over the rows";
      seen.insert(seen.end(), window.begin(), window.end());
    }
    std::sort(seen.begin(), seen.end());
    for (int64_t i = 0; i < rows; ++i) ASSERT_EQ(seen[size_t(i)], i);
  }
}

}  // namespace
}  // namespace ace
