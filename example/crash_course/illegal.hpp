/// A combination of policies that promises nothing, and what the compiler says about it.
#pragma once
#include <string>

namespace crash_course {

/// Shows the program and the one sentence: the compiler's own where there is one and the library's headers are where
/// this program was built, else as it stood when this was written. `folder`: for a temporary file.
std::string show_illegal_combination(std::string const& folder);

}  // namespace crash_course
