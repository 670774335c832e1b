import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import load


class Sluice(ConanFile):
    name = "sluice"
    description = "Streams in micro-batches that keep exactly the delivery promise their policies name"
    license = "Apache-2.0"
    topics = ("kafka", "streaming", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    # One option for each component: its store's client library becomes a requirement.
    options = {"sqlite": [True, False], "postgres": [True, False], "mysql": [True, False], "redis": [True, False],
               "zookeeper": [True, False], "s3": [True, False], "webhdfs": [True, False], "hbase": [True, False],
               "elasticsearch": [True, False]}
    default_options = {"sqlite": True, "postgres": False, "mysql": False, "redis": False, "zookeeper": False,
                       "s3": False, "webhdfs": False, "hbase": False, "elasticsearch": False, "boost/*:header_only": True}
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "packaging/sluice.pc.in"
    test_package_folder = "packaging/conan/test_package"

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "include/sluice/version.hpp"))
        self.version = re.search(r'SLUICE_VERSION_STRING "(.*)"', header).group(1)

    def requirements(self):
        headers_too = {"transitive_headers": True, "transitive_libs": True}
        self.requires("librdkafka/[>=2.0.2 <3]", **headers_too)
        self.requires("boost/[>=1.74 <2]", **headers_too)
        if self.options.sqlite:
            self.requires("sqlite3/[>=3.40 <4]", **headers_too)
        if self.options.postgres:
            self.requires("libpq/[>=14]", **headers_too)
        if self.options.mysql:
            self.requires("mariadb-connector-c/[>=3.3 <4]", **headers_too)
        if self.options.redis:
            self.requires("hiredis/[>=0.14 <2]", **headers_too)
        if self.options.zookeeper:
            self.requires("zookeeper-client-c/[>=3.8 <4]", **headers_too)
        if self.options.s3 or self.options.webhdfs or self.options.hbase or self.options.elasticsearch:
            self.requires("libcurl/[>=7.88 <9]", **headers_too)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["SLUICE_BUILD_TESTS"] = False
        toolchain.cache_variables["SLUICE_BUILD_EXAMPLES"] = False
        toolchain.cache_variables["SLUICE_BUILD_TOOLS"] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()

    def package_id(self):
        self.info.clear()

    def package_info(self):
        # The package's own CMake files know the targets and the components.
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.builddirs = ["share/cmake/sluice"]
        self.cpp_info.set_property("cmake_find_mode", "none")
