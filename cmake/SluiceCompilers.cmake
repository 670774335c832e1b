# What tests of refusals compile with, themselves: this compiler and, where it is there, clang. Both must say the same.
set(SLUICE_COMPILERS "${CMAKE_CXX_COMPILER}")
find_program(SLUICE_OTHER_COMPILER NAMES clang++-21 clang++-20 clang++-19)
if(SLUICE_OTHER_COMPILER AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND SLUICE_COMPILERS "${SLUICE_OTHER_COMPILER}")
endif()

# sluice_syntax_flags(CXX RESULT): with `|` between them, since a `;` would be lost on the way to a test.
function(sluice_syntax_flags cxx result)
  set(flags "-std=c++20|-Wall|-Wextra|-Wpedantic|-Wconversion|-Wshadow|-I${PROJECT_SOURCE_DIR}/include")
  if(cxx STREQUAL SLUICE_OTHER_COMPILER OR CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    string(APPEND flags "|-ferror-limit=0")
  endif()
  set(${result} "${flags}" PARENT_SCOPE)
endfunction()
