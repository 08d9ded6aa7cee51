#pragma once
#include <cstdint>

#include "ace/corpus.h"

namespace ace {

/// The built-in corpus: generated scenes (who, doing what, with what, where, when, with which sound) with several
/// captions each that tell different parts in different words, and an embedding each (ace/sample_vectors.h).
/// Every item differs from every other as a scene and has 5 training captions; of ten items, eight are of split train,
/// one of dev and one of test, and those two have a further, held-out caption as query. Titles and texts are never
/// trained on. `settings` suits the size. 100 to 1,000,000 items; the same bits for the same (items, seed) on every
/// machine.
Corpus make_sample(int64_t items, uint64_t seed);

}  // namespace ace
