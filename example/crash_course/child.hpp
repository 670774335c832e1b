/// A child: one member of a course's group, until it is killed or told to finish.
#pragma once
#include "protocol.hpp"

namespace crash_course {

int child_main(setup const& s);

}  // namespace crash_course
