#pragma once
#include "ace/corpus.h"
#include "ace/progress.h"
#include "ace/run.h"
#include "ace/settings.h"

namespace ace {

/// The offline half (paper section 3.2): item embeddings → identifiers, the tokenizer, and a run folder that holds
/// them. What came out (README, "JSON") is stored in the run as its quality report. Hand over a large corpus by
/// std::move: its items go before the run reads its own.
Run identify(Corpus corpus, const Settings& settings, const std::filesystem::path& folder, const Progress& progress);

}  // namespace ace
