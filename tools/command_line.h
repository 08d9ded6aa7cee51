#pragma once
#include <functional>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace tools {

/// What a program or one of its verbs takes: words by their place, options, flags. Values are set while the words are
/// parsed. CLI11 does that; it takes seconds in each file that includes it, so that command_line.cpp alone does.
class CommandLine {
 public:
  /// A program, with --help and --version, that is called with a verb.
  CommandLine(const char* name, const char* about);

  /// T, here and below: a string, path, int64_t or double, or an optional of one. A word must be there unless its value
  /// is optional. Integers are decimal.
  template <class T>
  void word(const char* name, T& value, const char* help) const;
  /// `--name VALUE`, VALUE shown as `type`. A vector of integers takes a list with commas; one of strings, the option
  /// several times.
  template <class T>
  void option(const char* name, const char* type, T& value, const char* help, bool required = false) const;
  void flag(const char* name, bool& value, const char* help) const;
  /// What the help ends with.
  void footer(const std::function<std::string()>& text) const;

  /// A verb, which takes the program's options too; `run` is what it does, and gives the exit code. Its help ends with
  /// those options, and with `more`.
  CommandLine verb(const char* name, const char* help, const std::function<int()>& run,
                   const std::function<std::string()>& more = {}) const;
  /// Parses the words, calls `check`, then what the verb does; gives its exit code. --help and --version end with what
  /// they print. Throws UsageError with one line, with the nearest verb or option where there is none of a name.
  int run(int count, char** words, const std::function<void()>& check) const;

 private:
  struct Program;
  CommandLine(std::shared_ptr<Program> program, CLI::App* app);
  std::shared_ptr<Program> program_;
  CLI::App* app_;  ///< of the program, or of the verb
};

/// One line of a help text, in two columns.
std::string help_row(const std::string& name, const std::string& text);

}  // namespace tools
