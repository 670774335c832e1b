# Boost::headers, for Hana. By Boost's own package where it has one, else wherever boost/hana lies.
find_package(Boost ${BoostHeaders_FIND_VERSION} CONFIG QUIET)
if(TARGET Boost::headers)
  set(BoostHeaders_FOUND TRUE)
  return()
endif()

find_path(BoostHeaders_INCLUDE_DIR boost/hana/version.hpp)
mark_as_advanced(BoostHeaders_INCLUDE_DIR)
if(BoostHeaders_INCLUDE_DIR)
  file(STRINGS "${BoostHeaders_INCLUDE_DIR}/boost/version.hpp" line REGEX "^#define BOOST_LIB_VERSION")
  if(line MATCHES "\"([0-9]+)_([0-9]+)")
    set(BoostHeaders_VERSION "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BoostHeaders REQUIRED_VARS BoostHeaders_INCLUDE_DIR
  VERSION_VAR BoostHeaders_VERSION REASON_FAILURE_MESSAGE "Debian has it as libboost-dev")
if(BoostHeaders_FOUND)
  add_library(Boost::headers INTERFACE IMPORTED)
  set_target_properties(Boost::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${BoostHeaders_INCLUDE_DIR}")
endif()
