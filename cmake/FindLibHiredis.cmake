# LibHiredis::hiredis: Redis's C library. By its own package where one is installed (vcpkg, Conan, its CMake build), else wherever
# hiredis/hiredis.h lies.
find_package(hiredis CONFIG QUIET)
if(TARGET hiredis::hiredis)
  if(NOT TARGET LibHiredis::hiredis)
    add_library(LibHiredis::hiredis INTERFACE IMPORTED)
    set_target_properties(LibHiredis::hiredis PROPERTIES INTERFACE_LINK_LIBRARIES hiredis::hiredis)
  endif()
  set(LibHiredis_FOUND TRUE)
  return()
endif()

find_path(LibHiredis_INCLUDE_DIR hiredis/hiredis.h)
find_library(LibHiredis_LIBRARY hiredis)
mark_as_advanced(LibHiredis_INCLUDE_DIR LibHiredis_LIBRARY)
if(LibHiredis_INCLUDE_DIR)
  file(STRINGS "${LibHiredis_INCLUDE_DIR}/hiredis/hiredis.h" lines REGEX "^#define HIREDIS_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]+" "" lines "${lines}")
  list(JOIN lines "." LibHiredis_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibHiredis REQUIRED_VARS LibHiredis_LIBRARY LibHiredis_INCLUDE_DIR
  VERSION_VAR LibHiredis_VERSION REASON_FAILURE_MESSAGE "Debian has it as libhiredis-dev")
if(LibHiredis_FOUND AND NOT TARGET LibHiredis::hiredis)
  add_library(LibHiredis::hiredis UNKNOWN IMPORTED)
  set_target_properties(LibHiredis::hiredis PROPERTIES IMPORTED_LOCATION "${LibHiredis_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${LibHiredis_INCLUDE_DIR}")
endif()
