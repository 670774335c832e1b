# Programs: what the examples and the benchmarks are built by.

# sluice_programs(FOLDER [IN PATH] NEEDS LIBRARIES...): a program for each file PATH/NAME.cpp and for each folder
# PATH/NAME with .cpp files in it, and one test for each line `// test: ARGUMENTS` among a file's first twenty. A test
# runs in an empty folder of its own.
function(sluice_programs folder)
  cmake_parse_arguments(PROGRAMS "" "IN" "NEEDS" ${ARGN})
  cmake_path(APPEND CMAKE_CURRENT_SOURCE_DIR "${PROGRAMS_IN}" OUTPUT_VARIABLE base)
  file(GLOB files CONFIGURE_DEPENDS "${base}/*.cpp" "${base}/*/*.cpp")
  foreach(file IN LISTS files)
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY "${base}" OUTPUT_VARIABLE name)
    string(REGEX REPLACE "(/.*|\\.cpp)$" "" name "${name}")
    if(NOT TARGET ${folder}.${name})
      add_executable(${folder}.${name})
      set_target_properties(${folder}.${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
      target_link_libraries(${folder}.${name} PRIVATE sluice::sluice ${PROGRAMS_NEEDS})
    endif()
    target_sources(${folder}.${name} PRIVATE "${file}")
    sluice_program_tests("${file}" ${folder} ${name})
  endforeach()
endfunction()

function(sluice_program_tests file folder name)
  file(STRINGS "${file}" head LIMIT_COUNT 20)
  foreach(line IN LISTS head)
    if(line MATCHES "^// test:(.*)$")
      separate_arguments(arguments UNIX_COMMAND "${CMAKE_MATCH_1}")
      set(test "${folder}/${name}")
      while(TEST "${test}")
        string(APPEND test "'")
      endwhile()
      add_test(NAME "${test}" COMMAND sh -c [[rm -rf "$0" && mkdir -p "$0" && cd "$0" && exec "$@"]]
        "${PROJECT_BINARY_DIR}/runs/${test}" "$<TARGET_FILE:${folder}.${name}>" ${arguments})
      set_tests_properties("${test}" PROPERTIES TIMEOUT 600 LABELS ${folder})
    endif()
  endforeach()
endfunction()
