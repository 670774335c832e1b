/// \file temporary_folder.hpp  A folder of a test's own, gone at its end; and files as text.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

struct temporary_folder {
  std::filesystem::path path{};
  explicit temporary_folder(std::filesystem::path const& within = std::filesystem::temp_directory_path()) {
    auto pattern = (within / "sluice.XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path = pattern;
  }
  temporary_folder(temporary_folder const&) = delete;
  temporary_folder& operator=(temporary_folder const&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string name() const { return path.string(); }
};

inline std::string content_of(std::filesystem::path const& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

inline void write_file(std::filesystem::path const& file, std::string const& content) {
  std::ofstream{file, std::ios::binary | std::ios::trunc} << content;
}
