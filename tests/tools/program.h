#pragma once
#include <filesystem>
#include <string>
#include <vector>

/// The programs `ace`, `bench` and `gradcheck` as others meet them: started with words, judged by exit code, standard
/// output and standard error.
namespace tools_test {

struct Outcome {
  int code = -1;  ///< exit code, or 1000 + signal when a signal ended it
  std::string out, err;
};

/// A folder of its own under the temporary folder, gone with the object.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  /// Writes a file and gives its path.
  std::string file(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

/// A started program; its standard output and error go to files.
class Program {
 public:
  explicit Program(const std::vector<std::string>& words, const std::string& input = "",
                   const char* program = ACE_PROGRAM);
  void send(int signal) const;
  /// Waits until the program has a handler of its own for the signal, or has ended.
  void wait_for_handler(int signal);
  bool running();
  Outcome wait();

 private:
  Folder folder_;
  int process_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

/// Runs `ace` with these words to its end.
Outcome run(const std::vector<std::string>& words, const std::string& input = "");
/// Starts `ace` with what a shell makes of these words, after some commands.
Program in_shell(const std::string& words, const std::string& before);
/// Runs it to its end.
Outcome run_in_shell(const std::string& words, const std::string& before = ":");
/// Runs `bench` with these words to its end.
Outcome run_bench(const std::vector<std::string>& words);
/// Runs `gradcheck` with these words to its end.
Outcome run_gradcheck(const std::vector<std::string>& words);
std::string read(const std::string& file);

}  // namespace tools_test
