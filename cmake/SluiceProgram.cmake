# Programs out of single files: what the examples and the benchmarks are built by.

# sluice_program(FILE FOLDER LIBRARIES...): the program FILE's name, and one test for each line `// test: ARGUMENTS`
# among the file's first twenty. A test runs in an empty folder of its own.
function(sluice_program file folder)
  cmake_path(GET file STEM name)
  add_executable(${folder}.${name} "${file}")
  set_target_properties(${folder}.${name} PROPERTIES OUTPUT_NAME ${name})
  target_link_libraries(${folder}.${name} PRIVATE sluice::sluice ${ARGN})

  file(STRINGS "${file}" head LIMIT_COUNT 20)
  set(number 0)
  foreach(line IN LISTS head)
    if(line MATCHES "^// test:(.*)$")
      separate_arguments(arguments UNIX_COMMAND "${CMAKE_MATCH_1}")
      math(EXPR number "${number} + 1")
      set(test "${folder}/${name}")
      if(number GREATER 1)
        string(APPEND test ".${number}")
      endif()
      add_test(NAME "${test}" COMMAND sh -c [[rm -rf "$0" && mkdir -p "$0" && cd "$0" && exec "$@"]]
        "${PROJECT_BINARY_DIR}/work/${test}" "$<TARGET_FILE:${folder}.${name}>" ${arguments})
      set_tests_properties("${test}" PROPERTIES TIMEOUT 120 LABELS ${folder})
    endif()
  endforeach()
endfunction()
