/// \file program.hpp  Runs an installed program as a user does.
#pragma once
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "catch.hpp"
#include "detail/temporary_folder.hpp"

namespace program {

using words = std::vector<std::string>;

struct answer {
  int status = -1;
  std::string out{}, err{};
};

inline temporary_folder& scratch() {
  static temporary_folder one;
  return one;
}

/// What it says and how it ends. `environment`: NAME=value; `terminal`: where its output goes instead.
inline answer run(std::string const& executable, words arguments, words const& environment = {},
                  std::string const& terminal = {}) {
  arguments.insert(arguments.begin(), executable);
  static std::atomic<int> number{0};
  auto const out = scratch().path / std::to_string(++number), err = scratch().path / std::to_string(++number);
  auto const pid = ::fork();
  if (pid < 0) throw std::runtime_error("can't fork");
  if (pid == 0) {
    std::vector<char*> argv;
    for (auto& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    for (auto const& e : environment) ::putenv(const_cast<char*>(e.c_str()));
    auto const to = [](std::filesystem::path const& file, int fd) {
      ::dup2(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), fd);
    };
    ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    to(terminal.empty() ? out : std::filesystem::path{terminal}, 1);
    to(err, 2);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(out), content_of(err)};
}

inline words operator+(words a, words const& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace program
