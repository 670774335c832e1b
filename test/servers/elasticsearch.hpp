/// \file elasticsearch.hpp  An Elasticsearch of a test's own, one node, on free ports.
#pragma once
#include <sluice/offset_store/http_connection.hpp>

#include "detail/temporary_folder.hpp"
#include "process.hpp"
#include "script.hpp"

namespace servers {

/// Java must find the file system of Elasticsearch's data among those that are mounted: below the root of a chroot it does not.
inline std::filesystem::path mounted_folder() {
  std::ifstream mounts{"/proc/self/mounts"};
  for (std::string device, at, rest; mounts >> device >> at && std::getline(mounts, rest);)
    if (at == "/") return std::filesystem::temp_directory_path();
  return "/dev/shm";
}

class elasticsearch {
  temporary_folder folder_{mounted_folder()};
  int port_ = free_port(), transport_ = free_port();
  process process_{};

 public:
  elasticsearch() {
    std::filesystem::create_directories(folder_.path / "config");
    process_ = process{{"java", "-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                        path_by("jars", "elasticsearch") + "/*", "groovy.ui.GroovyMain",
                        SLUICE_SOURCE_DIR "/test/servers/elasticsearch/server.groovy", std::to_string(port_),
                        std::to_string(transport_), folder_.name()},
                       folder_.name() + "/log"};
    process_.wait_until([&] { return answers(); }, 90s);
  }

  int port() const { return port_; }
  std::string address(int port = 0) const { return "http://127.0.0.1:" + std::to_string(port ? port : port_); }
  void freeze(bool on) const { process_.freeze(on); }

  sluice::detail::http::answer ask(char const* method, std::string const& path,
                                   std::optional<std::string_view> content = {}) const {
    sluice::detail::http::connection c{{.who = "test", .where = "Elasticsearch"}};
    return c.ask(
        {.method = method, .url = address() + path, .headers = {"Content-Type: application/json"}, .content = content},
        std::chrono::steady_clock::now() + 20s);
  }

 private:
  bool answers() const {
    try {
      return listens(port_) && ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s").status == 200;
    } catch (std::exception const&) { return false; }
  }
};

}  // namespace servers
