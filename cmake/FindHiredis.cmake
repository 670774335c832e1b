# Hiredis::hiredis: Redis's C library. By its own package where one is installed (vcpkg, Conan, its CMake build), else wherever
# hiredis/hiredis.h lies.
find_package(hiredis CONFIG QUIET)
if(TARGET hiredis::hiredis)
  if(NOT TARGET Hiredis::hiredis)
    add_library(Hiredis::hiredis INTERFACE IMPORTED)
    set_target_properties(Hiredis::hiredis PROPERTIES INTERFACE_LINK_LIBRARIES hiredis::hiredis)
  endif()
  set(Hiredis_FOUND TRUE)
  return()
endif()

find_path(Hiredis_INCLUDE_DIR hiredis/hiredis.h)
find_library(Hiredis_LIBRARY hiredis)
mark_as_advanced(Hiredis_INCLUDE_DIR Hiredis_LIBRARY)
if(Hiredis_INCLUDE_DIR)
  file(STRINGS "${Hiredis_INCLUDE_DIR}/hiredis/hiredis.h" lines REGEX "^#define HIREDIS_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]+" "" lines "${lines}")
  list(JOIN lines "." Hiredis_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Hiredis REQUIRED_VARS Hiredis_LIBRARY Hiredis_INCLUDE_DIR
  VERSION_VAR Hiredis_VERSION REASON_FAILURE_MESSAGE "Debian has it as libhiredis-dev")
if(Hiredis_FOUND AND NOT TARGET Hiredis::hiredis)
  add_library(Hiredis::hiredis UNKNOWN IMPORTED)
  set_target_properties(Hiredis::hiredis PROPERTIES IMPORTED_LOCATION "${Hiredis_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Hiredis_INCLUDE_DIR}")
endif()
