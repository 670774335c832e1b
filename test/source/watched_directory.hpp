/// \file watched_directory.hpp  A directory that a consumer reads, and files that come into it.
#pragma once
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/source/directory.hpp>

#include "source/consuming.hpp"

using namespace consuming;
namespace fs = std::filesystem;
using sl::directory_source;
using sl::offset;

struct place {
  temporary_folder folder{};
  std::ostringstream told{};
  directory_source config{};

  place() {
    fs::create_directory(folder.path / "in");
    fs::create_directory(folder.path / "elsewhere");
    config.directory = (folder.path / "in").string();
    config.group = "g";
    config.settle = 0ms;
    config.scan_every = 10ms;
  }
  fs::path in(std::string const& name) const { return folder.path / "in" / name; }
  void put(std::string const& name, std::string const& content) const { write_file(in(name), content); }
  void rename_in(std::string const& name, std::string const& content) const {
    write_file(folder.path / "elsewhere" / name, content);
    fs::rename(folder.path / "elsewhere" / name, in(name));
  }
  template <class Delivery = sl::at_least_once, class... More>
  auto start(More const&... more) {
    return sl::stream_consumer<Delivery, sl::sqlite_offsets, directory_source, sl::log_to, More...>{
        config, sl::sqlite_offsets{folder.name() + "/offsets.db"}, sl::log_to{&told}, more...};
  }
  bool was_told(std::string const& what) const { return told.str().find(what) != std::string::npos; }
};
