# The core and its components: sluice::sluice needs librdkafka only; sluice::NAME adds the headers that need one store's
# client library. A component's header belongs to it alone, so the core never asks for a library that it doesn't use.

file(GLOB_RECURSE SLUICE_CORE_HEADERS CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/sluice/*.hpp")
set(SLUICE_COMPONENTS "")
set(SLUICE_COMPONENT_PACKAGES "")

function(sluice_library target)
  cmake_parse_arguments(LIBRARY "" "" "NEEDS;HEADERS" ${ARGN})
  add_library(${target} INTERFACE)
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_link_libraries(${target} INTERFACE ${LIBRARY_NEEDS})
  target_sources(${target} INTERFACE
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${LIBRARY_HEADERS})
endfunction()

# sluice_component(NAME PACKAGE P NEEDS TARGETS... PKG_CONFIG MODULES... HEADERS PATTERNS...) makes sluice::NAME. A client
# library that has no pkg-config file is named by its flags: PKG_CONFIG_CFLAGS, PKG_CONFIG_LIBS.
# P need not be there: a user of the core alone does without it, and CMake names the target that is missing to others.
macro(sluice_component name)
  cmake_parse_arguments(COMPONENT "" "PACKAGE" "NEEDS;PKG_CONFIG;PKG_CONFIG_CFLAGS;PKG_CONFIG_LIBS;HEADERS" ${ARGN})
  find_package(${COMPONENT_PACKAGE} QUIET GLOBAL)
  list(TRANSFORM COMPONENT_HEADERS PREPEND "${PROJECT_SOURCE_DIR}/include/sluice/")
  file(GLOB headers CONFIGURE_DEPENDS ${COMPONENT_HEADERS})
  list(REMOVE_ITEM SLUICE_CORE_HEADERS ${headers})
  sluice_library(sluice_${name} NEEDS sluice ${COMPONENT_NEEDS} HEADERS ${headers})
  add_library(sluice::${name} ALIAS sluice_${name})
  set_target_properties(sluice_${name} PROPERTIES EXPORT_NAME ${name})
  list(APPEND SLUICE_COMPONENTS ${name})
  list(APPEND SLUICE_COMPONENT_PACKAGES ${COMPONENT_PACKAGE})
  set(SLUICE_PKG_CONFIG_${name} ${COMPONENT_PKG_CONFIG})
  list(JOIN COMPONENT_PKG_CONFIG_CFLAGS " " SLUICE_CFLAGS_${name})
  list(JOIN COMPONENT_PKG_CONFIG_LIBS " " SLUICE_LIBS_${name})
endmacro()

# sluice_core(NEEDS TARGETS... PKG_CONFIG MODULES...) makes sluice::sluice of the headers that no component took.
macro(sluice_core)
  cmake_parse_arguments(CORE "" "" "NEEDS;PKG_CONFIG" ${ARGN})
  sluice_library(sluice NEEDS ${CORE_NEEDS} HEADERS ${SLUICE_CORE_HEADERS})
  add_library(sluice::sluice ALIAS sluice)
  set(SLUICE_PKG_CONFIG ${CORE_PKG_CONFIG})
endmacro()
