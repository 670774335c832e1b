# What `cmake --install` puts where: headers, the CMake package with its components, pkg-config files, the licence.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Headers depend on no architecture.
set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/sluice")
set(made "${PROJECT_BINARY_DIR}/package")

# sluice_pkg_config(FILE DESCRIPTION CFLAGS LIBS REQUIRES...)
function(sluice_pkg_config name description cflags libs)
  list(JOIN ARGN ", " requires)
  configure_file("${PROJECT_SOURCE_DIR}/packaging/sluice.pc.in" "${made}/${name}.pc" @ONLY)
  install(FILES "${made}/${name}.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
endfunction()

install(TARGETS sluice EXPORT sluice FILE_SET HEADERS)
install(EXPORT sluice NAMESPACE sluice:: FILE sluice-core.cmake DESTINATION "${package_dir}")
sluice_pkg_config(sluice "${PROJECT_DESCRIPTION}" "" "" ${SLUICE_PKG_CONFIG})

set(SLUICE_COMPONENT_DEPENDENCIES "")
foreach(component package IN ZIP_LISTS SLUICE_COMPONENTS SLUICE_COMPONENT_PACKAGES)
  install(TARGETS sluice_${component} EXPORT sluice_${component} FILE_SET HEADERS)
  install(EXPORT sluice_${component} NAMESPACE sluice:: FILE sluice-${component}.cmake DESTINATION "${package_dir}")
  sluice_pkg_config(sluice-${component} "sluice with ${package}" "${SLUICE_CFLAGS_${component}}"
    "${SLUICE_LIBS_${component}}" "sluice = ${PROJECT_VERSION}" ${SLUICE_PKG_CONFIG_${component}})
  string(APPEND SLUICE_COMPONENT_DEPENDENCIES "set(sluice_${component}_needs ${package})\n")
endforeach()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/sluiceConfig.cmake.in" "${made}/sluiceConfig.cmake"
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the API: CHANGELOG.md says what counts as API.
write_basic_package_version_file("${made}/sluiceConfigVersion.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${made}/sluiceConfig.cmake" "${made}/sluiceConfigVersion.cmake"
  cmake/FindRdKafka.cmake cmake/FindBoostHeaders.cmake cmake/FindLibHiredis.cmake
  cmake/FindLibMariaDB.cmake cmake/FindLibZooKeeper.cmake DESTINATION "${package_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
