#include "tools/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <vector>

#include "ace/nearest.h"
#include "ace/text.h"
#include "tools/usage.h"

namespace tools {
namespace {

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string nearest_of(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return std::string(ace::nearest(word, candidates));
}

/// The verb that was parsed, or null.
const CLI::App* parsed_verb(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return verbs.empty() ? nullptr : verbs.front();
}

/// A word that nothing took: an unknown option, verb, or a word too many.
std::string unexpected(const CLI::App& app, const std::string& word) {
  const CLI::App* verb = parsed_verb(app);
  if (word.size() > 1 && word[0] == '-') {
    std::vector<std::string> options = options_of(app);
    if (verb) {
      const std::vector<std::string> own = options_of(*verb);
      options.insert(options.begin(), own.begin(), own.end());
    }
    const std::string name = word.substr(0, word.find('='));
    return fmt::format("unknown option {}; did you mean \"{}\"?", ace::quote(name), nearest_of(name, options));
  }
  if (verb)
    return fmt::format("{}: one word too many: {}; see {} {} --help", verb->get_name(), ace::quote(word),
                       app.get_name(), verb->get_name());
  return fmt::format("unknown verb {}; did you mean \"{}\"?", ace::quote(word), nearest_of(word, verbs_of(app)));
}

/// What was wrong with a command line that CLI11 refused.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> left = app.remaining(true);
  for (const std::string& word : left) {
    if (word != "--" && dynamic_cast<const CLI::ConversionError*>(&error) == nullptr) return unexpected(app, word);
  }
  const CLI::App* verb = parsed_verb(app);
  if (!verb && dynamic_cast<const CLI::RequiredError*>(&error)) {
    return fmt::format("expected a verb: {}", fmt::join(verbs_of(app), ", "));
  }
  std::string message = error.what();
  const bool mismatch = dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr;
  if (mismatch && message.ends_with(" missing")) message = message.substr(0, message.find(": ")) + ": expected a value";
  return (verb ? verb->get_name() + ": " : "") + ace::escape(message);
}

/// CLI11 would read octal and hexadecimal integers, and the nearest it can hold of those too large.
std::string decimal_integer(const std::string& option, const std::string& word) {
  int64_t value = 0;
  if (!ace::parse_number(word, value)) fail_usage("{}: expected an integer, found {}", option, ace::quote(word));
  return std::to_string(value);
}

/// The program's options, one a line.
std::string options_help(const CLI::App& app) {
  std::string text = "Everywhere:\n";
  for (const CLI::Option* option : app.get_options()) {
    if (option == app.get_help_ptr()) continue;  // the verb lists its own
    const bool takes_value = option->get_type_size() > 0 && option->get_expected_max() > 0;
    const std::string value = takes_value ? " " + option->get_type_name() : "";
    text += help_row("--" + option->get_lnames().front() + value, option->get_description());
  }
  return text;
}

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

}  // namespace

struct CommandLine::Program {
  CLI::App app;
  std::function<int()> run;  ///< of the verb that was parsed
};

CommandLine::CommandLine(const char* name, const char* about) : program_(std::make_shared<Program>()) {
  app_ = &program_->app;
  app_->name(name);
  app_->description(about);
  app_->set_help_flag("-h,--help", "this text");
  app_->set_version_flag("--version", fmt::format("{} {}", name, ACE_VERSION), "the version");
  app_->require_subcommand(1);
}

CommandLine::CommandLine(std::shared_ptr<Program> program, CLI::App* app) : program_(std::move(program)), app_(app) {}

template <class T>
void CommandLine::word(const char* name, T& value, const char* help) const {
  app_->add_option(name, value, help)->required(!is_optional<T>)->type_name("");
}

template <class T>
void CommandLine::option(const char* name, const char* type, T& value, const char* help, bool required) const {
  using Strings = std::vector<std::string>;
  using Integers = std::vector<int64_t>;
  CLI::Option* const option = app_->add_option(name, value, help)->type_name(type)->required(required);
  if constexpr (std::is_same_v<T, Strings>) {
    option->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  if constexpr (std::is_same_v<T, Integers>) option->delimiter(',');
  if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, std::optional<int64_t>> || std::is_same_v<T, Integers>)
    option->transform([name](const std::string& word) { return decimal_integer(name, word); });
}

#define ACE_INSTANTIATE(T)                                             \
  template void CommandLine::word(const char*, T&, const char*) const; \
  template void CommandLine::option(const char*, const char*, T&, const char*, bool) const;
ACE_INSTANTIATE(std::string)
ACE_INSTANTIATE(std::filesystem::path)
ACE_INSTANTIATE(int64_t)
ACE_INSTANTIATE(double)
ACE_INSTANTIATE(std::optional<std::string>)
ACE_INSTANTIATE(std::optional<std::filesystem::path>)
ACE_INSTANTIATE(std::optional<int64_t>)
template void CommandLine::option(const char*, const char*, std::vector<std::string>&, const char*, bool) const;
template void CommandLine::option(const char*, const char*, std::vector<int64_t>&, const char*, bool) const;

void CommandLine::flag(const char* name, bool& value, const char* help) const { app_->add_flag(name, value, help); }

void CommandLine::footer(const std::function<std::string()>& text) const { app_->footer(text); }

CommandLine CommandLine::verb(const char* name, const char* help, const std::function<int()>& run,
                              const std::function<std::string()>& more) const {
  CLI::App* const verb = app_->add_subcommand(name, help);
  verb->fallthrough();
  verb->footer([app = app_, more] { return options_help(*app) + (more ? "\n" + more() : ""); });
  verb->callback([program = program_.get(), run] { program->run = run; });
  return CommandLine(program_, verb);
}

int CommandLine::run(int count, char** words, const std::function<void()>& check) const {
  try {
    app_->parse(count, words);
  } catch (const CLI::Success& success) {  // --help, --version
    return app_->exit(success);
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(*app_, error));
  }
  check();
  return program_->run();
}

std::string help_row(const std::string& name, const std::string& text) {
  return fmt::format("  {:<34} {}\n", name, text);
}

}  // namespace tools
