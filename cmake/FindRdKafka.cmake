# RdKafka::rdkafka: librdkafka's C library. By its own package where one is installed (vcpkg, Conan, its CMake build), else by
# pkg-config, as distributions have it.
find_package(RdKafka ${RdKafka_FIND_VERSION} CONFIG QUIET)
if(TARGET RdKafka::rdkafka)
  set(RdKafka_FOUND TRUE)
  return()
endif()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_RdKafka QUIET rdkafka)
endif()
find_path(RdKafka_INCLUDE_DIR librdkafka/rdkafka.h HINTS ${PC_RdKafka_INCLUDE_DIRS})
find_library(RdKafka_LIBRARY rdkafka HINTS ${PC_RdKafka_LIBRARY_DIRS})
mark_as_advanced(RdKafka_INCLUDE_DIR RdKafka_LIBRARY)

if(RdKafka_INCLUDE_DIR)  # 0x02000bff is 2.0.11: two hexadecimal digits each, the last pair tells pre-releases
  file(STRINGS "${RdKafka_INCLUDE_DIR}/librdkafka/rdkafka.h" line REGEX "^#define RD_KAFKA_VERSION +0x")
  if(line MATCHES "0x(..)(..)(..)")
    set(parts "")
    foreach(part "${CMAKE_MATCH_1}" "${CMAKE_MATCH_2}" "${CMAKE_MATCH_3}")
      math(EXPR number "0x${part}")
      list(APPEND parts ${number})
    endforeach()
    list(JOIN parts "." RdKafka_VERSION)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(RdKafka REQUIRED_VARS RdKafka_LIBRARY RdKafka_INCLUDE_DIR
  VERSION_VAR RdKafka_VERSION REASON_FAILURE_MESSAGE "Debian has it as librdkafka-dev")
if(RdKafka_FOUND)
  add_library(RdKafka::rdkafka UNKNOWN IMPORTED)
  set_target_properties(RdKafka::rdkafka PROPERTIES IMPORTED_LOCATION "${RdKafka_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${RdKafka_INCLUDE_DIR}")
endif()
