#include "tests/tools/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace tools_test {

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "ace-tools-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

Folder::~Folder() { std::filesystem::remove_all(path_); }

std::string Folder::file(const std::string& name, const std::string& text) const {
  std::ofstream(*this / name, std::ios::binary) << text;
  return *this / name;
}

std::string read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Program::Program(const std::vector<std::string>& words, const std::string& input, const char* program) {
  std::vector<std::string> all = {program};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int fresh = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, folder_.file("in", input).c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, (folder_ / "out").c_str(), fresh, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder_ / "err").c_str(), fresh, 0600);
  posix_spawnattr_t attributes;  // a shell may have started the tests in the background, and then nobody hears SIGINT
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const int error = posix_spawn(&process_, program, &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error) throw std::runtime_error("cannot start " + all[0]);
}

void Program::send(int signal) const { kill(process_, signal); }

void Program::wait_for_handler(int signal) {
  while (running()) {
    const std::string status = read("/proc/" + std::to_string(process_) + "/status");
    const size_t caught = status.find("SigCgt:");
    if (caught != status.npos && std::stoull(status.substr(caught + 7), nullptr, 16) >> (signal - 1) & 1) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool Program::running() {
  if (!ended_) ended_ = waitpid(process_, &status_, WNOHANG) == process_;
  return !ended_;
}

Outcome Program::wait() {
  if (!ended_) waitpid(process_, &status_, 0);
  ended_ = true;
  const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
  return {code, read(folder_ / "out"), read(folder_ / "err")};
}

Outcome run(const std::vector<std::string>& words, const std::string& input) { return Program(words, input).wait(); }

Program in_shell(const std::string& words, const std::string& before) {
  return Program({"-c", before + "; exec " ACE_PROGRAM " " + words}, "", "/bin/sh");
}

Outcome run_in_shell(const std::string& words, const std::string& before) { return in_shell(words, before).wait(); }

Outcome run_bench(const std::vector<std::string>& words) { return Program(words, "", BENCH_PROGRAM).wait(); }

Outcome run_gradcheck(const std::vector<std::string>& words) { return Program(words, "", GRADCHECK_PROGRAM).wait(); }

}  // namespace tools_test
