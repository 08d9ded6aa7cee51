#include "kernels/backend.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace kernels {
namespace {

/// The team back to its default size after each test.
class Team : public testing::Test {
 protected:
  ~Team() override { set_threads(0); }
};

constexpr int64_t dear = 1 << 20;  // so dear that a range of one index is worth a thread

std::vector<std::pair<int64_t, int64_t>> ranges_of(int64_t n, int64_t cost) {
  std::mutex mutex;
  std::set<std::pair<int64_t, int64_t>> ranges;
  Cpu().parallel(n, cost, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(mutex);
    ranges.insert({begin, end});
  });
  return {ranges.begin(), ranges.end()};
}

TEST_F(Team, SplitsIntoConsecutiveRangesThatCoverEverything) {
  for (const int threads : {1, 2, 3, 7}) {
    set_threads(threads);
    for (const int64_t n : {1, 2, 5, 1000, 1001}) {
      const auto ranges = ranges_of(n, dear);
      EXPECT_EQ(int64_t(ranges.size()), std::min<int64_t>(n, threads));
      int64_t next = 0;
      for (const auto& [begin, end] : ranges) {
        EXPECT_EQ(begin, next);
        EXPECT_LT(begin, end);
        next = end;
      }
      EXPECT_EQ(next, n);
    }
  }
}

/// In a process of its own that may have no more than another 32 MiB of addresses: room for a few stacks.
[[noreturn]] void ask_for_too_many() {
  std::ifstream status("/proc/self/statm");
  rlim_t pages = 0;
  status >> pages;
  const rlim_t most = pages * rlim_t(::getpagesize()) + (32 << 20);
  const rlimit limit{most, most};
  try {
    if (::setrlimit(RLIMIT_AS, &limit) == 0) set_threads(250);
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
  }
  ::_exit(0);
}

TEST_F(Team, ThatCannotBeHadIsAnError) {
  set_threads(2);
  EXPECT_EXIT(ask_for_too_many(), testing::ExitedWithCode(0), "threads: expected 250, could have [0-9]+: ");
}

TEST_F(Team, DoesNothingForNothing) {
  EXPECT_TRUE(ranges_of(0, dear).empty());
  EXPECT_TRUE(ranges_of(-3, dear).empty());
}

TEST_F(Team, KeepsSmallWorkOnTheCallingThread) {
  set_threads(4);
  const auto here = std::this_thread::get_id();
  Cpu().parallel(100, 1, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 100);
    EXPECT_EQ(std::this_thread::get_id(), here);
  });
  EXPECT_EQ(ranges_of(100000, 1).size(), 4u);
}

TEST_F(Team, ACostBeyondAllBoundsDoesNotOverflow) {
  set_threads(2);
  EXPECT_EQ(ranges_of(1000, int64_t(1) << 60).size(), 2u);
}

TEST_F(Team, RunsManyShortJobsOneAfterTheOther) {
  set_threads(3);
  std::vector<int64_t> sums(300);
  for (int job = 0; job < 1000; ++job) {
    Cpu().parallel(300, dear, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sums[size_t(i)] += i;
    });
  }
  for (int64_t i = 0; i < 300; ++i) ASSERT_EQ(sums[size_t(i)], 1000 * i);
}

TEST_F(Team, ACallWithinACallRunsTheSameRanges) {
  set_threads(3);
  std::atomic<int64_t> ranges{0}, indices{0};
  Cpu().parallel(3, dear, [&](int64_t, int64_t) {
    Cpu().parallel(30, dear, [&](int64_t begin, int64_t end) {
      ++ranges;
      indices += end - begin;
    });
  });
  EXPECT_EQ(ranges, 9);
  EXPECT_EQ(indices, 90);
}

TEST_F(Team, ServesSeveralCallersAtOnce) {
  set_threads(2);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int job = 0; job < 50; ++job) {
        int64_t mine[40] = {};
        Cpu().parallel(40, dear, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) mine[i] = i;
        });
        for (const int64_t value : mine) total += value;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 4 * 50 * (39 * 40 / 2));
}

TEST_F(Team, HasAsManyThreadsAsAskedFor) {
  for (const int threads : {1, 5, 2}) {
    set_threads(threads);
    EXPECT_EQ(Cpu().threads(), threads);
  }
  set_threads(100000);
  EXPECT_EQ(Cpu().threads(), 256);
  set_threads(0);
  EXPECT_GE(Cpu().threads(), 1);
}

}  // namespace
}  // namespace kernels
