#pragma once
#include <cstddef>

/// What the runner tells the sanitizers. It is compiled without instrumentation, once for each: with SIMT_ASAN it names
/// its stacks to the address sanitizer, with SIMT_TSAN its fibers to the thread sanitizer and who waited for whom.
namespace simt {

#ifdef SIMT_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
inline constexpr bool sees_races = true;
inline void* race_fiber() { return __tsan_get_current_fiber(); }
inline void* make_race_fiber() { return __tsan_create_fiber(0); }
inline void drop_race_fiber(void* fiber) { __tsan_destroy_fiber(fiber); }
/// From here on, what runs is this fiber; it learns nothing from whoever ran before.
inline void as_race_fiber(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }
inline void release(void* what) { __tsan_release(what); }
inline void acquire(void* what) { __tsan_acquire(what); }
#else
inline constexpr bool sees_races = false;
inline void* race_fiber() { return nullptr; }
inline void* make_race_fiber() { return nullptr; }
inline void drop_race_fiber(void*) {}
inline void as_race_fiber(void*) {}
inline void release(void*) {}
inline void acquire(void*) {}
#endif

#ifdef SIMT_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size);
void __asan_unpoison_memory_region(const volatile void* begin, size_t size);
}
inline void leave_stack(void** kept, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(kept, bottom, size);
}
inline void enter_stack(void* kept, const void** bottom, size_t* size) {
  __sanitizer_finish_switch_fiber(kept, bottom, size);
}
inline void clean_stack(void* bottom, size_t size) { __asan_unpoison_memory_region(bottom, size); }
#else
inline void leave_stack(void**, const void*, size_t) {}
inline void enter_stack(void*, const void**, size_t*) {}
inline void clean_stack(void*, size_t) {}
#endif

}  // namespace simt
