#include "kernels/embedding.h"

#include "tests/cuda/arrays.h"

namespace kernels {
namespace {

template <class T>
class EmbeddingOnDevice : public testing::Test {};
TYPED_TEST_SUITE(EmbeddingOnDevice, DeviceNumbers);

/// n ids below `entries`, entry 1 in every second place: it has rows in many chunks.
std::vector<int32_t> draw_ids(int64_t n, int64_t entries) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(i % 2 ? 1 % int32_t(entries) : int32_t(i * i * 31 % entries));
  return ids;
}

TYPED_TEST(EmbeddingOnDevice, IsTheCpus) {
  using T = TypeParam;
  using A = Accumulator<T>;
  const Cuda cuda;
  for (const int64_t n : {1, 64, 300}) {
    for (const int64_t width : {8, 261}) {
      for (const int64_t entries : {1, 700}) {
        SCOPED_TRACE(testing::Message() << n << " of " << entries << " × " << width);
        const auto ids = draw_ids(n, entries);
        const auto table = draw<A>(entries * width, 1), before = draw<A>(entries * width, 3);
        const auto dy = draw<T>(n * width, 2);
        std::vector<double> y(size_t(n * width)), dtable = as<double>(before);
        embedding(Cpu(), as<double>(table).data(), ids.data(), y.data(), n, width, 1.5);
        embedding_backward(Cpu(), as<double>(dy).data(), ids.data(), Grad<double>{dtable.data(), true}, n, entries,
                           width, 1.5);

        const Device<int32_t> device_ids(ids);
        const Device<A> device_table(table);
        const Device<T> device_dy(dy), found(n * width);
        embedding<T>(cuda, device_table.data(), device_ids.data(), found.data(), n, width, A(1.5));
        EXPECT_LE(relative_error(found.values(), y), device_tolerance<T>);
        expect_same_again([&] {
          const Device<A> gradient(before);
          embedding_backward<T>(cuda, device_dy.data(), device_ids.data(), Grad<A>{gradient.data(), true}, n, entries,
                                width, A(1.5));
          const auto values = gradient.values();
          EXPECT_LE(relative_error(values, dtable), device_tolerance<A>);
          return values;
        });
      }
    }
  }
}

}  // namespace
}  // namespace kernels
