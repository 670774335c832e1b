/// \file script.hpp  What a script of test/servers prints: where the programs of a server are, fetched if need be.
#pragma once
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace servers {

/// The path that test/servers/SCRIPT NAME prints.
inline std::string path_by(std::string const& script, std::string const& name) {
  auto const command = std::string{SLUICE_SOURCE_DIR} + "/test/servers/" + script + " " + name;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "r"), ::pclose};
  char line[4096] = "";
  if (!pipe || !std::fgets(line, sizeof line, pipe.get()) || *line != '/')
    throw std::runtime_error("what the server " + name + " needs can't be had: run " + command);
  std::string path = line;
  path.erase(path.find_last_not_of('\n') + 1);
  return path;
}

}  // namespace servers
