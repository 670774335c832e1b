/// \file detail/crash_point.hpp  Named places where a test lets its process die; nothing at all in any other program.
#pragma once

/// A test says what it does, before it includes any header of the library. `name` is a literal.
#ifndef SLUICE_CRASH_POINT
#define SLUICE_CRASH_POINT(name) static_cast<void>(0)
#endif
