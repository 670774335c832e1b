# LibMariaDB::mariadb: MariaDB's C library (Connector/C). By its own package where one is installed (vcpkg, Conan), else
# wherever mysql.h and libmariadb lie.
foreach(pair unofficial-libmariadb=unofficial::libmariadb mariadb-connector-c=mariadb-connector-c::mariadb-connector-c)
  string(REPLACE "=" ";" pair "${pair}")
  list(GET pair 0 package)
  list(GET pair 1 target)
  find_package(${package} CONFIG QUIET)
  if(TARGET ${target})
    if(NOT TARGET LibMariaDB::mariadb)
      add_library(LibMariaDB::mariadb INTERFACE IMPORTED)
      set_target_properties(LibMariaDB::mariadb PROPERTIES INTERFACE_LINK_LIBRARIES ${target})
    endif()
    set(LibMariaDB_FOUND TRUE)
    return()
  endif()
endforeach()

find_path(LibMariaDB_INCLUDE_DIR mariadb_version.h PATH_SUFFIXES mariadb mysql)
find_library(LibMariaDB_LIBRARY mariadb PATH_SUFFIXES mariadb)
mark_as_advanced(LibMariaDB_INCLUDE_DIR LibMariaDB_LIBRARY)
if(LibMariaDB_INCLUDE_DIR)
  file(STRINGS "${LibMariaDB_INCLUDE_DIR}/mariadb_version.h" line REGEX "^#define MARIADB_PACKAGE_VERSION ")
  string(REGEX REPLACE "[^0-9.]+" "" LibMariaDB_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibMariaDB REQUIRED_VARS LibMariaDB_LIBRARY LibMariaDB_INCLUDE_DIR
  VERSION_VAR LibMariaDB_VERSION REASON_FAILURE_MESSAGE "Debian has it as libmariadb-dev")
if(LibMariaDB_FOUND AND NOT TARGET LibMariaDB::mariadb)
  add_library(LibMariaDB::mariadb UNKNOWN IMPORTED)
  set_target_properties(LibMariaDB::mariadb PROPERTIES IMPORTED_LOCATION "${LibMariaDB_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${LibMariaDB_INCLUDE_DIR}")
endif()
