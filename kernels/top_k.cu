#include "kernels/top_k.h"

#include "kernels/launch.h"

namespace kernels {
namespace {

/// A block per query, so all of a search's step is one wave of blocks that share nothing. It is bound by latency: 100
/// queries of 5 rows of 128 logits are 256 KB, and a block goes through some eight phases that wait for one another:
///   1. log-softmax totals of the rows, a team of threads each
///   2. every thread's best candidate; the k-th best of those is a bound that k candidates reach at least
///   3. the candidates that reach it, usually little more than k, are put together in shared memory, in any order
///   4. each finds its place by counting those before it
/// Should more reach the bound than there is room for (ties, or all good ones with few threads), the k-th best of all
/// is found bit by bit: slow, exact, and rare.

int64_t room_for(int64_t k) { return k + 256; }

/// The tokens that may follow a row, to be shared out: token(i) for i below `count`, −1 where there is none.
struct Followers {
  TreeLevel::Form form;  ///< bits, or `counted` from 0 on, or one of the lists
  const void* tokens;
  int64_t count;
  __device__ int64_t token(int64_t i) const {
    using Form = TreeLevel::Form;
    if (form == Form::bits) return static_cast<const uint64_t*>(tokens)[i / 64] >> i % 64 & 1 ? i : -1;
    return form == Form::counted ? i : int64_t(TreeLevel{0, 0, form, nullptr, tokens}.token(uint32_t(i)));
  }
};
template <class T>
__device__ Followers followers_of(const Beams<T>& beams, int64_t row) {
  using Form = TreeLevel::Form;
  const TreeLevel& level = beams.level;
  if (!level) return {Form::counted, nullptr, beams.vocabulary};
  const int32_t node = beams.rank[row];
  if (level.form == Form::bits) return {Form::bits, level.bits(node), beams.vocabulary};
  const uint32_t first = level.first[node];
  return {level.form, level.listed() ? level.listed_at(first) : nullptr, int64_t(level.first[node + 1] - first)};
}

/// Teams of a block that take turns at the rows of a query.
__device__ int64_t team_of_block(Warp) { return threadIdx.x / warp_lanes; }
__device__ int64_t team_of_block(Block) { return 0; }
__device__ int64_t teams_of_block(Warp) { return Block::threads / warp_lanes; }
__device__ int64_t teams_of_block(Block) { return 1; }

/// f(extension) for this thread's share of a query's candidates, always the same ones. totals: by row of the query.
template <class Team, class T, class A, class F>
__device__ void each_candidate(Team team, const Beams<T>& beams, int64_t q, const A* totals, F f) {
  for (int64_t i = team_of_block(team); i < beams.alive[q]; i += teams_of_block(team)) {
    const int64_t row = q * beams.width + i;
    const T* const x = beams.logits + row * beams.vocabulary;
    const A total = totals[i];
    const double score = beams.score[row];
    const int32_t rank = beams.rank[row];
    const Followers followers = followers_of(beams, row);
    team.each(followers.count, [&](int64_t c) {
      const int64_t token = followers.token(c);
      if (token < 0) return;
      const double extended = score + double(A(x[token]) - total);
      if (extended > -infinity<double>) f(Extension{extended, rank, int32_t(row), int32_t(token)});
    });
  }
}

/// Totals of a query's rows; whether all are numbers. All threads get the answer.
template <class Team, class T, class A>
__device__ bool find_totals(Team team, const Beams<T>& beams, int64_t q, A* totals) {
  bool numbers = true;
  for (int64_t i = team_of_block(team); i < beams.alive[q]; i += teams_of_block(team)) {
    const T* const x = beams.logits + (q * beams.width + i) * beams.vocabulary;
    const A total = row_normaliser(team, x, beams.vocabulary).log_total();
    team.each(1, [=](int64_t) { totals[i] = total; });
    numbers = numbers && total == total;
  }
  return __syncthreads_and(numbers);
}

/// Scores as integers of the same order, above 0. (+0 and −0 are one number.)
__device__ uint64_t ordered(double score) {
  const uint64_t bits = std::bit_cast<uint64_t>(score + 0.0), sign = uint64_t(1) << 63;
  return bits & sign ? ~bits : bits | sign;
}
/// Among equal scores: the smaller prefix is the larger number.
__device__ uint64_t smallness(const Extension& e) { return ~(uint64_t(uint32_t(e.rank)) << 32 | uint32_t(e.token)); }

/// The largest number with bits 63 … `last` alone that at least k reach, as `reach(number)` counts them; 0 if there is
/// none.
template <class Reach>
__device__ uint64_t reached_by(int64_t k, int last, Reach reach) {
  uint64_t number = 0;
  for (int bit = 63; bit >= last; --bit) {
    const uint64_t higher = number | uint64_t(1) << bit;
    if (reach(higher) >= k) number = higher;
  }
  return number;
}

/// What a candidate must reach: a score, and with just that score a smallness.
struct Bar {
  uint64_t score = 0, smallness = 0;
  __device__ bool passes(const Extension& e) const {
    const uint64_t own = ordered(e.score);
    return own != score ? own > score : kernels::smallness(e) >= smallness;
  }
};

/// Puts the candidates that pass into the list, as far as there is room; how many they are.
template <class Team, class T, class A>
__device__ int64_t gather(Team team, const Beams<T>& beams, int64_t q, const A* totals, Bar bar, Extension* list,
                          int64_t room) {
  __shared__ unsigned size;
  if (threadIdx.x == 0) size = 0;
  __syncthreads();
  each_candidate(team, beams, q, totals, [&](const Extension& e) {
    if (!bar.passes(e)) return;
    const unsigned at = atomicAdd(&size, 1u);
    if (at < room) list[at] = e;
  });
  __syncthreads();
  return size;
}

/// The bar that exactly k of the candidates pass, of which there are more.
template <class Team, class T, class A>
__device__ Bar exact_bar(Team team, const Beams<T>& beams, int64_t q, const A* totals, int64_t k) {
  const auto passing = [&](Bar bar) {
    int64_t mine = 0;
    each_candidate(team, beams, q, totals, [&](const Extension& e) { mine += bar.passes(e); });
    return Block().sum(Block::threads, [=](int64_t) { return mine; });
  };
  const uint64_t score = reached_by(k, 0, [&](uint64_t least) { return passing({least, 0}); });
  return {score, reached_by(k, 0, [&](uint64_t least) { return passing({score, least}); })};
}

/// A bar that k candidates pass at least, and little more as a rule: the k-th of the threads' best, to 24 bits.
template <class Team, class T, class A>
__device__ Bar quick_bar(Team team, const Beams<T>& beams, int64_t q, const A* totals, int64_t k) {
  uint64_t best = 0;
  each_candidate(team, beams, q, totals, [&](const Extension& e) {
    const uint64_t own = ordered(e.score);
    best = own > best ? own : best;
  });
  return {reached_by(k, 40, [=](uint64_t bar) { return __syncthreads_count(best >= bar); }), 0};
}

template <class Team, class T>
__device__ int32_t top_k_query(Team team, const Beams<T>& beams, int64_t q, int64_t k, int64_t room, Extension* found) {
  using A = Accumulator<T>;
  if (beams.alive[q] <= 0) return beams.alive[q];
  Extension* const list = shared_memory<Extension>();
  A* const totals = reinterpret_cast<A*>(list + room);
  if (!find_totals(team, beams, q, totals)) return -1;
  int64_t size = gather(team, beams, q, totals, quick_bar(team, beams, q, totals, k), list, room);
  if (size > room) size = gather(team, beams, q, totals, exact_bar(team, beams, q, totals, k), list, room);
  for (int64_t i = threadIdx.x; i < size; i += Block::threads) {
    const Extension own = list[i];
    int64_t place = 0;
    for (int64_t j = 0; j < size; ++j) place += list[j] < own;
    if (place < k) found[place] = own;
  }
  return int32_t(size < k ? size : k);
}

template <class Team, class T>
__global__ void __launch_bounds__(Block::threads, 2)
    top_k_kernel(Beams<T> beams, int64_t k, int64_t room, Extension* found, int32_t* count) {
  for (int64_t q = blockIdx.x; q < beams.queries; q += gridDim.x) {
    const int32_t n = top_k_query(Team(), beams, q, k, room, found + q * k);
    if (threadIdx.x == 0) count[q] = n;
  }
}

}  // namespace

template <class T>
void top_k(Cuda cuda, const Beams<T>& beams, int64_t k, Extension* found, int32_t* count) {
  const int64_t room = room_for(k);
  const size_t bytes = size_t(room) * sizeof(Extension) + size_t(beams.width) * sizeof(Accumulator<T>);
  with_team(beams.queries, beams.vocabulary, [=](auto team, dim3) {
    launch(top_k_kernel<decltype(team), T>, blocks_for(beams.queries, 1), Block::threads, bytes, cuda.stream(), beams,
           k, room, found, count);
  });
}

#define ACE_INSTANTIATE(T) template void top_k(Cuda, const Beams<T>&, int64_t, Extension*, int32_t*);
ACE_INSTANTIATE(float)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(f16)
ACE_INSTANTIATE(bf16)

}  // namespace kernels
