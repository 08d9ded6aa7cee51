#include "kernels/backend.h"

#include "kernels/instructions.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace kernels {

/// A fixed team of workers. A job is a function over ranges, cut into parts; whoever is free takes the next part, so a
/// worker that the system has put aside holds nobody up. Which thread runs a part changes nothing in its result.
/// Workers spin for a moment before they sleep, because the kernels of one step follow each other within microseconds.
class Threads {
 public:
  explicit Threads(int count) {
    instructions();  // a permission that threads inherit
    try {
      for (int worker = 1; worker < count; ++worker) workers_.emplace_back([this] { work(); });
    } catch (const std::exception& error) {  // the system has no more of them
      stop();
      throw std::runtime_error("threads: expected " + std::to_string(count) + ", could have " +
                               std::to_string(this->count()) + ": " + error.what());
    }
  }
  ~Threads() { stop(); }
  int count() const { return int(workers_.size()) + 1; }

  using Call = void (*)(const void*, int64_t, int64_t);
  void run(int64_t n, int parts, Call call, const void* body) {
    if (parts == 1 || !busy_.try_lock()) {
      for (int part = 0; part < parts; ++part) range(n, parts, part, call, body);
      return;
    }
    n_ = n, call_ = call, body_ = body;
    done_.store(0, std::memory_order_relaxed);
    publish(parts);
    take_parts();
    for (int spins = 0; done_.load(std::memory_order_acquire) != parts; ++spins) {
      spins < spin_limit ? pause() : std::this_thread::yield();
    }
    busy_.unlock();
  }

 private:
  static constexpr int spin_limit = 20000;

  /// The job in one word, so that it is taken from in one step: its number, how many parts it has, the next one.
  struct Job {
    uint64_t word;
    uint64_t number() const { return word >> 32; }
    int parts() const { return int(word >> 16 & 0xffff); }
    int next() const { return int(word & 0xffff); }
  };

  static void range(int64_t n, int parts, int part, Call call, const void* body) {
    const int64_t begin = n * part / parts, end = n * (part + 1) / parts;
    if (begin < end) call(body, begin, end);
  }

  void stop() {
    stop_ = true;
    publish(0);
    for (std::thread& worker : workers_) worker.join();
  }

  void publish(int parts) {
    const uint64_t number = Job{job_.load(std::memory_order_relaxed)}.number() + 1;
    job_.store(number << 32 | uint64_t(parts) << 16);  // sequentially consistent, as are the sleepers' two steps
    if (sleeping_.load() == 0) return;
    { const std::lock_guard lock(mutex_); }  // whoever was about to sleep does now, and hears the call
    wake_.notify_all();
  }

  /// Runs parts of the current job until none is left.
  void take_parts() {
    Job job{job_.load(std::memory_order_acquire)};
    while (job.next() < job.parts()) {
      if (!job_.compare_exchange_weak(job.word, job.word + 1, std::memory_order_acq_rel)) continue;
      range(n_, job.parts(), job.next(), call_, body_);  // a job stays until all its parts are done
      done_.fetch_add(1, std::memory_order_release);
      job.word = job_.load(std::memory_order_acquire);
    }
  }

  void work() {
    for (uint64_t seen = 0; !stop_; seen = Job{job_.load(std::memory_order_acquire)}.number()) {
      const auto idle = [&] {
        const Job job{job_.load()};
        return job.number() == seen && job.next() >= job.parts();
      };
      for (int spins = 0; idle() && spins < spin_limit; ++spins) pause();
      if (idle()) {
        std::unique_lock lock(mutex_);
        sleeping_.fetch_add(1);
        wake_.wait(lock, [&] { return !idle(); });
        sleeping_.fetch_sub(1);
      }
      take_parts();
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::mutex busy_, mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> job_{0};
  std::atomic<int> done_{0}, sleeping_{0};
  std::atomic<bool> stop_{false};
  int64_t n_ = 0;
  Call call_ = nullptr;
  const void* body_ = nullptr;
  std::vector<std::thread> workers_;
};

namespace {
int available() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::clamp(CPU_COUNT(&set), 1, 256) : 1;
}
std::mutex team_mutex;
std::unique_ptr<Threads> team;
std::atomic<Threads*> current{nullptr};
thread_local bool inside = false;
}  // namespace

void set_threads(int threads) {
  std::lock_guard lock(team_mutex);
  const int count = threads <= 0 ? available() : std::min(threads, 256);
  if (team && team->count() == count) return;
  team = std::make_unique<Threads>(count);
  current = team.get();
}

Cpu::Cpu() : threads_(current.load(std::memory_order_acquire)) {
  if (threads_ != nullptr) return;
  set_threads(0);
  threads_ = current;
}

int Cpu::threads() const { return threads_->count(); }

void* Cpu::scratch(int which, int64_t bytes) {
  struct Free {
    void operator()(std::byte* block) const { ::operator delete(block, std::align_val_t(64)); }
  };
  struct Block {
    std::unique_ptr<std::byte, Free> data;
    int64_t bytes = 0;
  };
  thread_local Block blocks[2];
  Block& block = blocks[which];
  if (block.bytes < bytes) {
    block.data.reset();
    block.data.reset(static_cast<std::byte*>(::operator new(size_t(bytes), std::align_val_t(64))));
    block.bytes = bytes;
  }
  return block.data.get();
}

void Cpu::run(int64_t n, int64_t cost, void (*call)(const void*, int64_t, int64_t), const void* body) const {
  constexpr int64_t worthwhile = 16384;
  if (n <= 0) return;
  const int64_t total = cost > (int64_t(1) << 62) / n ? int64_t(1) << 62 : n * std::max<int64_t>(cost, 1);
  const int parts = int(std::min<int64_t>({threads_->count(), n, std::max<int64_t>(total / worthwhile, 1)}));
  if (inside) {
    for (int part = 0; part < parts; ++part) {
      const int64_t begin = n * part / parts, end = n * (part + 1) / parts;
      if (begin < end) call(body, begin, end);
    }
    return;
  }
  inside = true;
  threads_->run(n, parts, call, body);
  inside = false;
}

}  // namespace kernels
