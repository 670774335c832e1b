/// \file security_certificates.hpp  Certificates that openssl makes for one test: two authorities, servers, a client.
#pragma once
#include <string>

#include "detail/temporary_folder.hpp"
#include "process.hpp"

namespace servers {

/// Files in a folder of their own. PEM for librdkafka, PKCS#12 (with `password`) for Java.
class certificates {
  temporary_folder folder_{};
  std::string password_;

 public:
  explicit certificates(std::string password) : password_(std::move(password)) {
    authority("ca");
    authority("stranger");
    signed_by_ca("localhost", "DNS:localhost");
    signed_by_ca("elsewhere", "DNS:elsewhere.example");
    signed_by_ca("client", "DNS:client.example");
  }

  /// NAME.pem, NAME.key, NAME.p12 of: ca, stranger (another authority), localhost, elsewhere, client.
  std::string operator()(std::string const& file) const { return folder_.name() + "/" + file; }

  /// What a broker needs of a server's certificate.
  std::vector<std::string> keys_of(std::string const& server) const {
    return {"ssl.keystore.type=PKCS12", "ssl.keystore.location=" + (*this)(server + ".p12"),
            "ssl.keystore.password=" + password_, "ssl.key.password=" + password_};
  }

 private:
  void openssl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "openssl");
    run(std::move(arguments), (*this)("log"));
  }
  std::vector<std::string> request(std::string const& name) const {
    return {"req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=" + name,
            "-keyout",
            (*this)(name + ".key"),
            "-out",
            (*this)(name + ".pem")};
  }
  void authority(std::string const& name) const { openssl(request(name)); }
  void signed_by_ca(std::string const& name, std::string const& host) const {
    auto arguments = request(name);
    for (auto const& a :
         {std::string("-CA"), (*this)("ca.pem"), std::string("-CAkey"), (*this)("ca.key"), std::string("-addext"),
          "subjectAltName=" + host, std::string("-addext"), std::string("basicConstraints=critical,CA:false")})
      arguments.push_back(a);
    openssl(std::move(arguments));
    write_file((*this)("password"), password_);
    openssl({"pkcs12", "-export", "-in", (*this)(name + ".pem"), "-inkey", (*this)(name + ".key"), "-certfile",
             (*this)("ca.pem"), "-passout", "file:" + (*this)("password"), "-out", (*this)(name + ".p12")});
  }
};

}  // namespace servers
