#include "kernels/backend.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace kernels {

/// A fixed team of workers. A job is a range function; worker w runs part w. Workers spin for a moment before they
/// sleep, because the kernels of one training step follow each other within microseconds.
class Threads {
 public:
  explicit Threads(int count) {
    for (int worker = 1; worker < count; ++worker) workers_.emplace_back([this, worker] { work(worker); });
  }
  ~Threads() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  int count() const { return int(workers_.size()) + 1; }

  using Call = void (*)(const void*, int64_t, int64_t);
  void run(int64_t n, int parts, Call call, const void* body) {
    if (parts == 1 || !busy_.try_lock()) {
      for (int part = 0; part < parts; ++part) range(n, parts, part, call, body);
      return;
    }
    n_ = n, parts_ = parts, call_ = call, body_ = body;
    pending_.store(int(workers_.size()), std::memory_order_relaxed);
    {
      std::lock_guard lock(mutex_);
      generation_.fetch_add(1, std::memory_order_release);
    }
    if (sleeping_.load(std::memory_order_seq_cst) > 0) wake_.notify_all();
    range(n, parts, 0, call, body);
    for (int spins = 0; pending_.load(std::memory_order_acquire) != 0; ++spins) {
      if (spins > spin_limit) std::this_thread::yield();
    }
    busy_.unlock();
  }

 private:
  static constexpr int spin_limit = 20000;

  static void range(int64_t n, int parts, int part, Call call, const void* body) {
    const int64_t begin = n * part / parts, end = n * (part + 1) / parts;
    if (begin < end) call(body, begin, end);
  }

  void work(int worker) {
    for (int64_t seen = 0;; ++seen) {
      for (int spins = 0; generation_.load(std::memory_order_acquire) == seen && spins < spin_limit; ++spins) pause();
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex_);
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
        sleeping_.fetch_sub(1, std::memory_order_seq_cst);
      }
      if (stop_) return;
      if (worker < parts_) range(n_, parts_, worker, call_, body_);
      pending_.fetch_sub(1, std::memory_order_release);
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::vector<std::thread> workers_;
  std::mutex busy_, mutex_;
  std::condition_variable wake_;
  std::atomic<int64_t> generation_{0};
  std::atomic<int> pending_{0}, sleeping_{0};
  bool stop_ = false;
  int64_t n_ = 0;
  int parts_ = 1;
  Call call_ = nullptr;
  const void* body_ = nullptr;
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
