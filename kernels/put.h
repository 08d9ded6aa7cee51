#pragma once
#include "kernels/backend.h"
#include "kernels/team.h"

namespace kernels {

/// g_i = (or +=) f(i) for every i. Whether to write or to add is asked once, outside the loop: asked inside, it keeps
/// compilers from vectorising all but the simplest f.
template <class Team, class T, class F>
ACE_HD void put_each(Team team, Grad<T> g, int64_t n, F f) {
  T* const data = g.data;
  if (g.add) {
    team.each(n, [=](int64_t i) { data[i] = T(Accumulator<T>(data[i]) + f(i)); });
  } else {
    team.each(n, [=](int64_t i) { data[i] = T(f(i)); });
  }
}

/// The part of a gradient that belongs to row r; null stays null.
template <class T>
ACE_HD Grad<T> row_of(Grad<T> g, int64_t r, int64_t cols) {
  return g ? g.at(r * cols) : g;
}

/// put_each on the CPU for a whole tensor of single elements, shared out to the threads. `cost` is operations per
/// element.
template <class T, class F>
void put_elements(Cpu cpu, Grad<T> g, int64_t n, int64_t cost, F f) {
  cpu.parallel(n, cost, [=](int64_t begin, int64_t end) {
    put_each(OneThread(), g.at(begin), end - begin, [=](int64_t i) { return f(begin + i); });
  });
}

}  // namespace kernels
