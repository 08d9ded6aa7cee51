#include "kernels/embedding.h"

#include "tests/kernels/arrays.h"

namespace kernels {
namespace {

template <class T>
class EmbeddingOf : public testing::Test {};
TYPED_TEST_SUITE(EmbeddingOf, Numbers);

/// n ids below `entries`, some of them often.
std::vector<int32_t> draw_ids(int64_t n, int64_t entries) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(int32_t(i * i * 31 % entries));
  return ids;
}

TYPED_TEST(EmbeddingOf, TakesRowsAndGivesGradientsBackToThem) {
  using T = TypeParam;
  for (const int64_t n : {1, 17, 400}) {
    for (const int64_t width : {1, 7, 64, 131}) {
      const int64_t entries = 23;
      const auto table = draw<T>(entries * width, 1), dy = draw<T>(n * width, 2);
      const auto ids = draw_ids(n, entries);
      std::vector<double> y, dtable(size_t(entries * width));
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t c = 0; c < width; ++c) {
          const size_t at = size_t(ids[size_t(i)] * width + c);
          y.push_back(1.5 * double(table[at]));
          dtable[at] += 1.5 * double(dy[size_t(i * width + c)]);
        }
      }
      Output<T> found(n * width), gradient(entries * width);
      embedding(Cpu(), table.data(), ids.data(), found.data(), n, width, T(1.5));
      EXPECT_LE(relative_error(found.values(), y), tolerance<T>);
      std::fill_n(gradient.data(), entries * width, T(0));
      embedding_backward(Cpu(), dy.data(), ids.data(), Grad<T>{gradient.data(), true}, n, entries, width, T(1.5));
      EXPECT_LE(relative_error(gradient.values(), dtable), tolerance<T>);
      embedding_backward(Cpu(), dy.data(), ids.data(), Grad<T>{gradient.data(), true}, n, entries, width, T(1.5));
      for (double& value : dtable) value *= 2;
      EXPECT_LE(relative_error(gradient.values(), dtable), tolerance<T>) << "the second call adds";
    }
  }
}

TYPED_TEST(EmbeddingOf, LargeTablesAreIndexedInFullWidth) {
  using T = TypeParam;
  const int64_t width = 4096, id = 600000;  // id · width is beyond 32 bits; only the row's own pages are touched
  const std::unique_ptr<T[]> row(new T[size_t(width)]);
  std::fill_n(row.get(), width, T(2));
  const int32_t ids[] = {int32_t(id)};
  std::vector<T> y(static_cast<size_t>(width));
  const T* const table = reinterpret_cast<const T*>(uintptr_t(row.get()) - uintptr_t(id * width) * sizeof(T));
  embedding(Cpu(), table, ids, y.data(), 1, width, T(1));
  EXPECT_EQ(y[0], T(2));
  EXPECT_EQ(y[size_t(width - 1)], T(2));
}

TYPED_TEST(EmbeddingOf, DoesNotDependOnTheThreads) {
  using T = TypeParam;
  const int64_t n = 5000, width = 37, entries = 11;
  const auto dy = draw<T>(n * width, 2);
  const auto ids = draw_ids(n, entries);
  expect_same_for_any_threads([&] {
    std::vector<T> all(size_t((entries + n) * width));
    embedding_backward(Cpu(), dy.data(), ids.data(), Grad<T>{all.data(), true}, n, entries, width, T(3));
    embedding(Cpu(), all.data(), ids.data(), all.data() + entries * width, n, width, T(3));
    return all;
  });
}

}  // namespace
}  // namespace kernels
