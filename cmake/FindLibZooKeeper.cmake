# LibZooKeeper::zookeeper_mt: ZooKeeper's C client with threads. By its package where one is installed (vcpkg, Conan), else
# wherever zookeeper/zookeeper.h lies.
set(LibZooKeeper_packages unofficial-zookeeper zookeeper-client-c)
set(LibZooKeeper_targets unofficial::zookeeper::zookeeper zookeeper-client-c::zookeeper-client-c)
foreach(package target IN ZIP_LISTS LibZooKeeper_packages LibZooKeeper_targets)
  find_package(${package} CONFIG QUIET)
  if(TARGET ${target})
    if(NOT TARGET LibZooKeeper::zookeeper_mt)
      add_library(LibZooKeeper::zookeeper_mt INTERFACE IMPORTED)
      set_target_properties(LibZooKeeper::zookeeper_mt PROPERTIES INTERFACE_LINK_LIBRARIES ${target}
        INTERFACE_COMPILE_DEFINITIONS THREADED)
    endif()
    set(LibZooKeeper_FOUND TRUE)
    return()
  endif()
endforeach()

find_path(LibZooKeeper_INCLUDE_DIR zookeeper/zookeeper.h)
find_library(LibZooKeeper_LIBRARY zookeeper_mt)
mark_as_advanced(LibZooKeeper_INCLUDE_DIR LibZooKeeper_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibZooKeeper REQUIRED_VARS LibZooKeeper_LIBRARY LibZooKeeper_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "Debian has it as libzookeeper-mt-dev")
if(LibZooKeeper_FOUND AND NOT TARGET LibZooKeeper::zookeeper_mt)
  add_library(LibZooKeeper::zookeeper_mt UNKNOWN IMPORTED)
  set_target_properties(LibZooKeeper::zookeeper_mt PROPERTIES IMPORTED_LOCATION "${LibZooKeeper_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${LibZooKeeper_INCLUDE_DIR}" INTERFACE_COMPILE_DEFINITIONS THREADED)
endif()
