#pragma once
#include "kernels/top_k.h"

namespace kernels {

/// The kept prefixes of a beam search, all of one length, as rows. Every query owns `width` rows, of which the first
/// alive[q] are prefixes, best first; the others are dead: score −∞, and for the rest whatever can be computed with
/// (token 0, the past of their query's first row). So shapes depend on the queries, the beam and the tree alone, never
/// on what was found: on a GPU nobody has to ask how many rows there are, no sum of counts is needed, and a step of the
/// decoder is the same launches every time, which a CUDA graph can hold. On a CPU dead rows cost arithmetic, but only
/// where a query has fewer prefixes than `width`, which need not be above the number of prefixes in the whole tree.
struct BeamRows {
  int64_t queries, width, length;
  double* score;    ///< [rows], rows = queries·width
  int32_t* rank;    ///< [rows] the prefix's node in the tree; without a tree its place among those of its query
  int32_t* alive;   ///< [queries]; below 0: the scores are not numbers
  int32_t* tokens;  ///< [length, rows] the prefix
  int32_t*
      ancestors;     ///< [length + 1, rows] which row, of those that stood at each position, is its past; last: itself
  int32_t* input;    ///< [rows] what the decoder reads next: a row of its embedding table
  int32_t* offsets;  ///< [queries + 1] where each query's rows begin
};

/// The empty prefix, once for each query: length 0 and width 1. input: 0.
void beam_start(Cpu, const BeamRows& to);
void beam_start(Cuda, const BeamRows& to);

/// The step from prefixes to those that top_k found with k = to.width and count = to.alive: all other arrays of `to`,
/// one longer. A child's node is in `level` (without a tree: none); token t of this position is row first_input + t of
/// the decoder's embedding table.
void beam_step(Cpu, const BeamRows& from, const Extension* found, const TreeLevel& level, int32_t first_input,
               const BeamRows& to);
/// On the GPU nothing is asked of the host: arrays, found and the level's are the device's.
void beam_step(Cuda, const BeamRows& from, const Extension* found, const TreeLevel& level, int32_t first_input,
               const BeamRows& to);

/// What both do for one row of `to`.
ACE_HD void beam_start_row(const BeamRows& to, int64_t r) {
  to.score[r] = 0;
  to.rank[r] = to.input[r] = 0;
  to.alive[r] = 1;
  to.ancestors[r] = to.offsets[r] = int32_t(r);
  if (r + 1 == to.queries) to.offsets[r + 1] = int32_t(r + 1);
}

/// How many of the query's n extensions are smaller prefixes.
ACE_HD int32_t place_of(const Extension& e, const Extension* found, int32_t n) {
  int32_t place = 0;
  for (int32_t i = 0; i < n; ++i) {
    place += found[i].rank != e.rank ? found[i].rank < e.rank : found[i].token < e.token;
  }
  return place;
}

ACE_HD void beam_step_row(const BeamRows& from, const Extension* found, const TreeLevel& level, int32_t first_input,
                          const BeamRows& to, int64_t r) {
  const int64_t q = r / to.width, rows = to.queries * to.width, before = from.queries * from.width;
  const int32_t n = to.alive[q];
  const bool alive = r - q * to.width < n;
  const Extension e = alive ? found[r] : Extension{-infinity<double>, 0, int32_t(q * from.width), 0};
  to.score[r] = e.score;
  to.rank[r] = !alive ? 0 : level ? tree_child(level, e.rank, e.token) : place_of(e, found + q * to.width, n);
  to.input[r] = first_input + e.token;
  for (int64_t p = 0; p < from.length; ++p) to.tokens[p * rows + r] = from.tokens[p * before + e.row];
  to.tokens[from.length * rows + r] = e.token;
  for (int64_t p = 0; p <= from.length; ++p) to.ancestors[p * rows + r] = from.ancestors[p * before + e.row];
  to.ancestors[to.length * rows + r] = int32_t(r);
  if (r == q * to.width) to.offsets[q] = int32_t(r);
  if (r + 1 == rows) to.offsets[to.queries] = int32_t(rows);
}

}  // namespace kernels
