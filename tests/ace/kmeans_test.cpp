#include "ace/kmeans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>

#include "kernels/backend.h"
#include "tensor/error.h"
#include "tensor/npy.h"
#include "tensor/random.h"
#include "tests/files.h"

namespace ace {
namespace {

using tensor::Tensor;

/// `groups` well separated round clouds; item i belongs to cloud i mod groups.
Tensor clouds(int64_t items, int64_t width, int64_t groups, uint64_t seed) {
  tensor::Random random(seed);
  std::vector<float> centres, values;
  for (int64_t i = 0; i < groups * width; ++i) centres.push_back(float(20 * random.normal()));
  for (int64_t i = 0; i < items; ++i) {
    for (int64_t c = 0; c < width; ++c)
      values.push_back(centres[size_t(i % groups * width + c)] + float(random.normal()));
  }
  return Tensor::of<float>({items, width}, values);
}

Settings::KMeans settings(int64_t clusters, int64_t batch = 1024) {
  Settings::KMeans result;
  result.clusters = clusters;
  result.batch = batch;
  return result;
}

/// Labels and inertia from the definition, in f64.
void expect_consistent(const KMeans& fit, const Tensor& x) {
  const auto points = x.values<float>(), centroids = fit.centroids.values<float>();
  const size_t width = size_t(x.cols());
  double inertia = 0;
  ASSERT_EQ(int64_t(fit.labels.size()), x.rows());
  for (size_t i = 0; i < fit.labels.size(); ++i) {
    double nearest = std::numeric_limits<double>::infinity();
    int32_t label = -1;
    for (size_t j = 0; j < size_t(fit.centroids.rows()); ++j) {
      double distance = 0;
      for (size_t c = 0; c < width; ++c) {
        distance += std::pow(double(points[i * width + c]) - double(centroids[j * width + c]), 2);
      }
      if (distance < nearest) nearest = distance, label = int32_t(j);
    }
    EXPECT_EQ(fit.labels[i], label);
    inertia += nearest;
  }
  EXPECT_NEAR(fit.inertia, inertia, 1e-6 * inertia + 1e-12);
}

TEST(KMeans, FindsCloudsThatAreFarApart) {
  const Tensor x = clouds(2000, 8, 10, 1);
  for (const KMeans& fit : {fit_kmeans(x, settings(10, 256), 1), fit_lloyd(x, 10, 50, 1)}) {
    expect_consistent(fit, x);
    for (size_t i = 0; i < fit.labels.size(); ++i) EXPECT_EQ(fit.labels[i], fit.labels[i % 10]);
    EXPECT_EQ(std::set<int32_t>(fit.labels.begin(), fit.labels.begin() + 10).size(), 10u);
    EXPECT_NEAR(fit.inertia, 2000 * 8, 0.05 * 2000 * 8);
  }
}

TEST(KMeans, OneClusterIsTheMean) {
  const Tensor x = clouds(50, 3, 4, 2);
  const KMeans fit = fit_lloyd(x, 1, 10, 1);
  for (size_t c = 0; c < 3; ++c) {
    double mean = 0;
    for (size_t i = 0; i < 50; ++i) mean += double(x.values<float>()[i * 3 + c]) / 50;
    EXPECT_NEAR(fit.centroids.values<float>()[c], mean, 1e-5);
  }
  expect_consistent(fit_kmeans(x, settings(1), 1), x);
}

TEST(KMeans, ThereMayBeAsManyClustersAsItems) {
  const Tensor x = clouds(40, 5, 40, 3);
  expect_consistent(fit_kmeans(x, settings(40), 1), x);
  EXPECT_EQ(fit_lloyd(x, 40, 20, 1).inertia, 0);
}

TEST(KMeans, FewerItemsThanClustersNameTheSettingThatWouldDo) {
  EXPECT_EQ(message_of([] { fit_kmeans(clouds(100, 2, 2, 1), settings(128), 1); }),
            "kmeans: 100 items are fewer than kmeans.clusters = 128; set kmeans.clusters to at most 100");
}

TEST(KMeans, WrongInputsAreRefused) {
  const Tensor x = clouds(10, 2, 2, 1);
  EXPECT_THROW(fit_kmeans(x, settings(0), 1), tensor::Error);
  EXPECT_THROW(fit_kmeans(x.to(tensor::DType::i32), settings(2), 1), tensor::Error);
  EXPECT_THROW(fit_lloyd(x.to(tensor::DType::f64), 2, 5, 1), tensor::Error);
  EXPECT_THROW(fit_lloyd(x, 0, 5, 1), tensor::Error);
  EXPECT_EQ(message_of([&] { assign_kmeans(x, clouds(2, 3, 2, 1)); }),
            "kmeans: expected float32 centroids [clusters, 2], found float32 [2, 3]");
  const Tensor odd = Tensor::of<float>({3, 1}, {1, std::nanf(""), 2});
  EXPECT_EQ(message_of([&] {
              assign_kmeans(odd, Tensor::of<float>({1, 1}, {0}));
            }),
            "kmeans: row 1 (from 0): its numbers, or their squares, are not finite in float32; identifiers.normalize = "
            "true makes large ones small");
}

TEST(KMeans, EmbeddingsWhoseSquaresOverflowAreRefusedWithWhatHelps) {
  const Tensor x = tensor::full({20, 4}, tensor::DType::f32, 1e25);
  for (int64_t i = 0; i < 10; ++i) x.data<float>()[4 * i] = -1e25f;
  for (const std::string& message :
       {message_of([&] { fit_kmeans(x, settings(2), 1); }), message_of([&] { fit_lloyd(x, 2, 5, 1); })}) {
    EXPECT_TRUE(
        message.ends_with("or their squares, are not finite in float32; identifiers.normalize = true makes "
                          "large ones small"))
        << message;
  }
}

TEST(KMeans, FewerDistinctPointsThanClustersAreEachFound) {
  std::vector<float> values;
  for (int i = 0; i < 60; ++i) values.push_back(float(i % 3));
  const Tensor x = Tensor::of<float>({60, 1}, values);
  for (const KMeans& fit :
       {fit_kmeans(x, settings(8), 1), fit_lloyd(x, 8, 20, 1), fit_lloyd(x.range(0, 5), 8, 20, 1)}) {
    EXPECT_EQ(fit.inertia, 0);
    EXPECT_EQ(std::set<int32_t>(fit.labels.begin(), fit.labels.end()).size(), 3u);
    for (float centroid : fit.centroids.values<float>()) EXPECT_TRUE(std::isfinite(centroid));
  }
}

TEST(KMeans, LloydLeavesNoClusterEmptyWherePointsDiffer) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const KMeans fit = fit_lloyd(clouds(64, 2, 5, seed), 32, 50, seed);
    EXPECT_EQ(std::set<int32_t>(fit.labels.begin(), fit.labels.end()).size(), 32u) << seed;
  }
}

TEST(KMeans, OneSeedGivesOneResultWithAnyNumberOfThreads) {
  const Tensor x = clouds(3000, 16, 30, 4);
  kernels::set_threads(1);
  const KMeans one = fit_kmeans(x, settings(40, 200), 7), lloyd_one = fit_lloyd(x, 40, 10, 7);
  kernels::set_threads(3);
  const KMeans three = fit_kmeans(x, settings(40, 200), 7), lloyd_three = fit_lloyd(x, 40, 10, 7);
  kernels::set_threads(0);
  const auto bits = [](const KMeans& fit) {
    const auto values = fit.centroids.values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  EXPECT_EQ(bits(one), bits(three));
  EXPECT_EQ(one.labels, three.labels);
  EXPECT_EQ(bits(lloyd_one), bits(lloyd_three));
  EXPECT_NE(bits(one), bits(fit_kmeans(x, settings(40, 200), 8)));
}

TEST(KMeans, RowsOfAFileGiveTheBitsOfTheSameRowsInMemory) {
  const Tensor x = clouds(3001, 300, 30, 5);  // not a multiple of a block
  const TemporaryFolder folder;
  for (const tensor::DType type : {tensor::DType::f16, tensor::DType::f32, tensor::DType::f64}) {
    tensor::write_npy(folder / "x.npy", x.to(type));
    const Rows mapped(tensor::read_npy(folder / "x.npy"), true);
    const Rows held(mapped.block(0, x.rows()));
    const KMeans a = fit_kmeans(mapped, settings(20, 200), 3), b = fit_kmeans(held, settings(20, 200), 3);
    EXPECT_TRUE(std::ranges::equal(a.centroids.values<float>(), b.centroids.values<float>())) << name_of(type);
    EXPECT_EQ(a.labels, b.labels);
    EXPECT_EQ(a.inertia, b.inertia);
  }
}

TEST(KMeans, InertiaIsNotAboveThatOfTheFieldsOwnProgram) {
  const char* corpora = std::getenv("ACE_CORPORA");
  if (corpora == nullptr) GTEST_SKIP() << "set ACE_CORPORA to the folder of the corpora";
  struct Expected {
    const char* name;
    double inertia;  ///< mean of 8 seeds of scikit-learn's MiniBatchKMeans(128) on rows of length 1
  };
  for (const Expected& expected : {Expected{"clotho-lsa", 3743.7}, Expected{"flickr8k-clip", 263.6}}) {
    const std::filesystem::path file = std::filesystem::path(corpora) / "corpora" / expected.name / "items.npy";
    const Rows x(tensor::read_npy(file), true);
    double mean = 0;
    for (uint64_t seed = 1; seed <= 8; ++seed) mean += fit_kmeans(x, Settings::KMeans(), seed).inertia / 8;
    EXPECT_LT(mean, expected.inertia) << expected.name;
    EXPECT_GT(mean, 0.97 * expected.inertia) << expected.name << ": too good to be true";
  }
}

}  // namespace
}  // namespace ace
