/// A combination of policies that promises nothing, and what the compiler says about it.
#pragma once
#include <sys/types.h>

#include <string>

namespace crash_course {

/// Asks the compiler in the background, where there is one and the library's headers are where this was built.
class illegal_combination {
  std::string folder_;
  pid_t compiler_ = -1;

 public:
  /// `folder`: for the program and what the compiler writes.
  explicit illegal_combination(std::string folder);
  illegal_combination(illegal_combination const&) = delete;
  ~illegal_combination();

  /// The compiler has answered, or there is none.
  bool ready();
  /// The program and the one sentence: the compiler's own, or without an answer the one that is known.
  std::string text();
};

}  // namespace crash_course
