/// \file s3.hpp  An S3 of a test's own (moto): on a free port, with random secrets, in memory, so that a kill loses everything.
#pragma once
#include <random>

#include "detail/temporary_folder.hpp"
#include "process.hpp"
#include "script.hpp"

namespace servers {

/// Has the bucket `offsets`. `app` may do everything with S3, `reader` may only read.
class s3 {
  temporary_folder folder_{};
  int port_ = free_port();
  bool tls_;
  std::string secret_ = "canary" + std::to_string(std::random_device{}()) + std::to_string(std::random_device{}());
  process process_{};

 public:
  /// `tls`: with a certificate for `localhost` of its own, ca_file().
  explicit s3(bool tls = false) : tls_(tls) {
    write_file(folder_.path / "users", "app " + key() + " " + secret_ + " s3:*\n" + "reader " + reader() + " " +
                                           secret_ + " s3:Get*,s3:List*\n");
    if (tls) {
      auto const file = [&](char const* name) { return folder_.name() + "/" + name; };
      run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
           "subjectAltName=DNS:localhost,DNS:offsets.localhost", "-keyout", file("key.pem"), "-out", ca_file()},
          file("openssl.log"));
      write_file(file("server.pem"), content_of(file("key.pem")) + content_of(ca_file()));
    }
    process_ = process{
        {path_by("venv", "s3"), SLUICE_SOURCE_DIR "/test/servers/s3/server.py", std::to_string(port_), folder_.name()},
        folder_.name() + "/log"};
    process_.wait_until([&] { return listens(port_); });
  }

  int port() const { return port_; }
  std::string endpoint(int port = 0) const {
    return (tls_ ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(port ? port : port_);
  }
  std::string key() const { return "AKIAAPP"; }
  std::string reader() const { return "AKIAREADER"; }
  std::string const& secret() const { return secret_; }
  std::string ca_file() const { return folder_.name() + "/ca.pem"; }
  std::string log() const { return process_.log(); }

  void freeze(bool on) const { process_.freeze(on); }
};

}  // namespace servers
