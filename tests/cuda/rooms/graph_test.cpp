#include "tensor/graph.h"

#include <gtest/gtest.h>

#include "autograd/functions.h"
#include "tensor/allocator.h"
#include "tensor/feed.h"
#include "tests/cuda/rooms/device.h"
#include "tests/files.h"

namespace tensor {
namespace {

using autograd::Variable;

std::vector<float> numbers(const Tensor& x) {
  const Tensor here = x.to(Device::cpu);
  const auto values = here.values<float>();
  return {values.begin(), values.end()};
}

/// y = x · c, c a constant, by a graph on each device.
TEST(RoomGraph, DoesTheSameWorkWithTheNumbersOfTheMomentOnEveryDevice) {
  SKIP_WITHOUT_DEVICE();
  for (const Device device : {Device::cpu, Device::cuda}) {
    const Tensor x = zeros({3}, DType::f32, device);
    Tensor y, again;
    int calls = 0;
    Graph graph(device), other(device);
    const auto work = [&](Tensor& out, double factor) {
      const Variable c(constant(full({3}, DType::f32, factor), device));
      out = autograd::add(autograd::mul(Variable(x), c), Variable(x)).value();
      ++calls;
    };
    for (const float value : {1.0f, 2.0f, 3.0f, 4.0f}) {
      copy(x, full({3}, DType::f32, value));
      graph.run([&] { work(y, 2); });
      EXPECT_EQ(numbers(y), std::vector<float>(3, 3 * value));
      const Tensor outside = full({3}, DType::f32, 9, device);  // what graphs write is nobody else's
      other.run([&] { work(again, 4); });
      EXPECT_EQ(numbers(again), std::vector<float>(3, 5 * value));
      EXPECT_EQ(numbers(outside), std::vector<float>(3, 9));
    }
    EXPECT_EQ(calls, device == Device::cpu ? 8 : 4) << "done, recorded, and started from then on";
  }
}

TEST(RoomGraph, ACopyFromOrToTheHostIsAnErrorAndNothingIsRecorded) {
  SKIP_WITHOUT_DEVICE();
  const Tensor x = full({2}, DType::f32, 1, Device::cuda);
  Graph graph(Device::cuda);
  Tensor y;
  bool looks = true;
  const auto work = [&] {
    y = autograd::scale(Variable(x), 3).value();
    if (looks) y.to(Device::cpu);
  };
  graph.run(work);
  EXPECT_EQ(message_of([&] { graph.run(work); }),
            "graph: 8 bytes from cuda to cpu, which work that is being recorded cannot copy");
  EXPECT_EQ(message_of([&] { graph.run([&] { copy(x, full({2}, DType::f32, 5)); }); }),
            "graph: 8 bytes from cpu to cuda, which work that is being recorded cannot copy");
  EXPECT_EQ(message_of([&] { graph.run([&] { synchronize(Device::cuda); }); }),
            "graph: the host cannot wait for work that is being recorded");
  looks = false;
  graph.run(work);
  EXPECT_EQ(numbers(y), std::vector<float>(2, 3));
}

/// Made in the work of one graph, in a place that another graph wrote to when it was recorded.
TEST(RoomGraph, WhatIsToLastIsNotOverwrittenByGraphs) {
  SKIP_WITHOUT_DEVICE();
  const Tensor x = full({3}, DType::f32, 1, Device::cuda);
  Graph first(Device::cuda), second(Device::cuda);
  const auto write = [&] { autograd::scale(Variable(x), 7); };
  first.run(write);
  first.run(write);
  Tensor kept, lost;
  second.run([&] {
    const Lasting outlives;
    kept = autograd::scale(Variable(x), 2).value();
  });
  Graph third(Device::cuda);
  third.run([&] { lost = autograd::scale(Variable(x), 2).value(); });
  first.run(write);
  EXPECT_EQ(numbers(kept), std::vector<float>(3, 2));
  EXPECT_EQ(numbers(lost), std::vector<float>(3, 7)) << "numbers of a graph are there until the next one runs";
}

TEST(RoomGraph, MemoryOfGraphsIsFreedWithTheLastOfThem) {
  SKIP_WITHOUT_DEVICE();
  const int64_t before = graph_allocator().statistics().cached;
  {
    const Tensor x = full({1000}, DType::f32, 1, Device::cuda);
    Graph graph(Device::cuda);
    for (int i = 0; i < 2; ++i) graph.run([&] { autograd::scale(Variable(x), 3); });
    EXPECT_GE(graph_allocator().statistics().cached, block_size(4000));
    graph_allocator().release_cached();
    EXPECT_GE(graph_allocator().statistics().cached, block_size(4000)) << "in use by their addresses";
  }
  EXPECT_LE(graph_allocator().statistics().cached, before);
}

TEST(RoomFeed, BringsTensorsWhereTheyAreWanted) {
  SKIP_WITHOUT_DEVICE();
  Feed feed;
  const auto parts_of = [](int value) {
    return std::vector<Tensor>{full({3}, DType::f32, value), full({1}, DType::f64, 2 * value)};
  };
  const Bundle there(parts_of(0), Device::cuda);
  feed.send(parts_of(1));
  for (int i = 1; i < 4; ++i) {
    feed.send(parts_of(i + 1));
    feed.receive(there);
    EXPECT_EQ(numbers(there[0]), std::vector<float>(3, float(i)));
    EXPECT_EQ(there[1].item(), 2 * i);
  }
  feed.send(parts_of(5));
  EXPECT_EQ(message_of([&] { feed.send(parts_of(6)); }), "feed: two are on their way already");
  const Bundle other(std::vector<Tensor>{full({3}, DType::f32, 0)}, Device::cuda);
  EXPECT_EQ(message_of([&] { feed.receive(other); }), "feed: 256 bytes wanted, 512 sent");
}

}  // namespace
}  // namespace tensor
