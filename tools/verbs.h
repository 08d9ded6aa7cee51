#pragma once
#include <functional>

#include "tools/flags.h"

/// One file a verb (verb_*.cpp): its options, and what it does with them. A verb parses, calls a stage of ace/ and
/// prints.
namespace tools {

void add_sample(const CommandLine& program, const Flags& flags);
void add_import(const CommandLine& program, const Flags& flags);
void add_identify(const CommandLine& program, const Flags& flags);
void add_train(const CommandLine& program, const Flags& flags);
void add_evaluate(const CommandLine& program, const Flags& flags);
void add_search(const CommandLine& program, const Flags& flags);
void add_inspect(const CommandLine& program, const Flags& flags);

/// Adds a verb that does `run`; its help ends with the flags and the settings of `stage`.
CommandLine add_verb(const CommandLine& program, const char* name, const char* help, const char* stage,
                     const std::function<int()>& run);
/// Prints what sample and import made.
void print_corpus(const ace::Corpus& corpus, const std::filesystem::path& folder, bool json);

}  // namespace tools
