#pragma once
#include <functional>

#include "tools/flags.h"

/// One file a verb (verb_*.cpp): its options, and what it does with them. A verb parses, calls a stage of ace/ and
/// prints.
namespace tools {

/// What the chosen verb does; set by CLI11 while it parses, run after it. Returns the exit code.
using Action = std::function<int()>;

void add_sample(CLI::App& app, const Flags& flags, Action& action);
void add_import(CLI::App& app, const Flags& flags, Action& action);
void add_identify(CLI::App& app, const Flags& flags, Action& action);
void add_train(CLI::App& app, const Flags& flags, Action& action);
void add_evaluate(CLI::App& app, const Flags& flags, Action& action);
void add_search(CLI::App& app, const Flags& flags, Action& action);
void add_inspect(CLI::App& app, const Flags& flags, Action& action);

/// Adds a subcommand whose help ends with the flags and the settings of `stage`.
CLI::App& add_verb(CLI::App& app, const std::string& name, const std::string& help, const std::string& stage);
/// Prints what sample and import made.
void print_corpus(const ace::Corpus& corpus, const std::filesystem::path& folder, bool json);

}  // namespace tools
