#include <sluice/offset_store/http_connection.hpp>

#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>

#include "servers/http.hpp"
#include "thrown.hpp"

namespace {

using namespace std::chrono_literals;

/// While it lives, looking up a name that ends in .hangs takes 20 s.
struct hanging_names {
  static inline std::mutex mutex{};
  static inline std::condition_variable news{};
  static inline bool hang = false;
  static inline int asking = 0;

  hanging_names() { set(true); }
  hanging_names(hanging_names const&) = delete;
  hanging_names& operator=(hanging_names const&) = delete;
  ~hanging_names() {
    set(false);
    std::unique_lock lock{mutex};
    news.wait(lock, [] { return asking == 0; });
  }
  static void wait() {
    std::unique_lock lock{mutex};
    ++asking;
    news.notify_all();
    news.wait_for(lock, 20s, [] { return !hang; });
    --asking;
    news.notify_all();
  }
  bool asked() const {
    std::unique_lock lock{mutex};
    return news.wait_for(lock, 5s, [] { return asking > 0; });
  }

 private:
  static void set(bool on) {
    std::lock_guard const lock{mutex};
    hang = on;
    news.notify_all();
  }
};
using namespace sl::detail::http;
using servers::http_answer;
using servers::http_request;
using servers::http_server;

sl::time_point in(std::chrono::milliseconds t) { return std::chrono::steady_clock::now() + t; }

connection to_test(std::size_t longest = 1000) {
  return connection{{.who = "test_offsets", .where = "test_offsets: the server", .longest = longest}};
}

/// Asking there fails, and how it is told.
void fails(std::string const& url, std::string const& part, std::chrono::milliseconds within = 5s) {
  auto c = to_test();
  auto const e = error_of([&] { c.ask({.url = url}, in(within)); });
  INFO(e.text);
  CHECK(e.code == sl::errc::store_unavailable);
  CHECK_THAT(e.text, ContainsSubstring("test_offsets: the server") && ContainsSubstring(part));
}

}  // namespace

/// In the place of the C library's, for libcurl too.
extern "C" int getaddrinfo(char const* name, char const* service, addrinfo const* hints, addrinfo** all) {
  static auto const real = reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (!name || !std::string_view{name}.ends_with(".hangs")) return real(name, service, hints, all);
  hanging_names::wait();
  return EAI_AGAIN;
}

TEST_CASE("an address is a scheme, a host and perhaps a port") {
  auto const a = parse_address("https://s3.example.org:9000", "p.endpoint");
  CHECK(a.scheme == "https");
  CHECK(a.host == "s3.example.org");
  CHECK(a.url() == "https://s3.example.org:9000");
  CHECK(parse_address("http://localhost/", "p.endpoint").url() == "http://localhost");
  CHECK(parse_address("http://[::1]:80", "p.endpoint").url() == "http://[::1]:80");
  for (auto const* bad : {"", "localhost", "localhost:9000", "ftp://localhost", "file:///etc/passwd", "http://",
                          "http://h:x", "http://h/path", "http://h?canary", "http://h#canary", "http://canary@h",
                          "http://u:canary@h", "http://:canary@h", "http://h h"}) {
    INFO(bad);
    auto const e = error_of([&] { parse_address(bad, "p.endpoint"); });
    CHECK(e.code == sl::errc::bad_configuration);
    CHECK_FALSE(e.of_store);
    CHECK_THAT(e.text, ContainsSubstring("p.endpoint must be http://HOST:PORT"));
  }
}

TEST_CASE("a request arrives as it is, and so does its answer") {
  std::string const bytes{"a\0b\r\n\xff", 6};
  http_server const s{[&](http_request const&) {
    return http_answer{.status = 207, .content = bytes, .headers = {"etag: \"tag\"", "LOCATION: there"}};
  }};
  auto c = to_test();
  auto const put =
      c.ask({.method = "PUT", .url = s.url() + "/a~2Fb/c", .headers = {"X-It: 1"}, .content = bytes}, in(5s));
  CHECK(put.status == 207);
  CHECK(put.content == bytes);
  CHECK(put.etag == "\"tag\"");
  CHECK(put.location == "there");
  c.ask({.url = s.url()}, in(5s));
  c.ask({.method = "PUT", .url = s.url(), .content = ""}, in(5s));
  auto const got = s.requests();
  REQUIRE(got.size() == 3);
  CHECK(got[0].method == "PUT");
  CHECK(got[0].target == "/a~2Fb/c");
  CHECK(got[0].header("x-it") == "1");
  CHECK(got[0].content == bytes);
  CHECK(got[1].method == "GET");
  CHECK(got[1].header("x-it").empty());
  CHECK(got[1].header("content-length").empty());
  CHECK(got[2].header("content-length") == "0");
  CHECK(s.connections() == 1);
}

TEST_CASE("a request of megabytes arrives") {
  http_server const s{[](http_request const&) { return http_answer{}; }};
  std::string const much(3 << 20, 'x');
  CHECK(to_test().ask({.method = "PUT", .url = s.url(), .content = much}, in(10s)).status == 200);
  CHECK(s.requests().at(0).content == much);
}

TEST_CASE("a signed request shows the key and never the secret; the next one is not signed") {
  http_server const s{[](http_request const&) { return http_answer{}; }};
  auto c = to_test();
  signature const as{"eu-central-1", "AKIA", "canary"};
  c.ask({.url = s.url() + "/b/k", .headers = {"x-amz-content-sha256: abc", "x-amz-security-token: token"}}, in(5s),
        &as);
  c.ask({.url = s.url() + "/b/k"}, in(5s));
  auto const got = s.requests();
  REQUIRE(got.size() == 2);
  auto const by = got[0].header("authorization");
  CHECK_THAT(by, ContainsSubstring("AWS4-HMAC-SHA256 Credential=AKIA/") &&
                     ContainsSubstring("/eu-central-1/s3/aws4_request") && ContainsSubstring("x-amz-content-sha256") &&
                     ContainsSubstring("x-amz-security-token"));
  CHECK_THAT(got[0].head, !ContainsSubstring("canary"));
  CHECK(got[1].header("authorization").empty());
}

TEST_CASE("nobody is sent elsewhere") {
  http_server const elsewhere{[](http_request const&) { return http_answer{}; }};
  http_server const s{
      [&](http_request const&) { return http_answer{.status = 307, .headers = {"Location: " + elsewhere.url()}}; }};
  auto const a = to_test().ask({.method = "PUT", .url = s.url(), .content = "x"}, in(5s));
  CHECK(a.status == 307);
  CHECK(a.location == elsewhere.url());
  CHECK(elsewhere.connections() == 0);
  auto c = to_test();
  CHECK(error_of([&] { c.ask({.url = "file:///etc/passwd"}, in(5s)); }).of_store);
}

TEST_CASE("no server, and servers of something else") {
  fails("http://127.0.0.1:" + std::to_string(servers::free_port()), "can't be reached");
  fails("http://no.such.host.invalid", "can't be reached");
  auto const port = [](http_server const& s) { return s.url(); };
  http_server const closes{[](http_request const&) { return std::nullopt; }};
  fails(port(closes), "has ended before an answer came");
  http_server const redis{[](http_request const&) { return http_answer{.raw = "-ERR unknown command 'GET'\r\n"}; }};
  fails(port(redis), "does not speak HTTP");
  http_server const cut{
      [](http_request const&) { return http_answer{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"}; }};
  fails(port(cut), "has ended before an answer came");
  http_server const plain{[](http_request const&) { return http_answer{}; }};
  fails("https" + plain.url().substr(4), "TLS");
}

TEST_CASE("a server that says nothing costs the deadline and no more") {
  auto const silent = servers::bound_socket();
  ::listen(silent.first.fd, 4);
  auto const begun = std::chrono::steady_clock::now();
  fails("http://127.0.0.1:" + std::to_string(silent.second), "no answer in time", 200ms);
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
  fails("http://127.0.0.1:" + std::to_string(silent.second), "no time was left", 0ms);
}

TEST_CASE("a name whose look-up hangs costs the deadline and no more") {
  hanging_names const names;
  auto const begun = std::chrono::steady_clock::now();
  fails("http://the.server.hangs", "no answer in time", 200ms);
  CHECK(names.asked());
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("an answer is taken as far as it may be long") {
  http_server const s{[](http_request const& r) {
    return http_answer{.content = std::string(static_cast<std::size_t>(std::stoi(r.target.substr(1))), 'x')};
  }};
  auto c = to_test(1000);
  CHECK(c.ask({.url = s.url() + "/1000"}, in(5s)).content.size() == 1000);
  CHECK_THAT(error_of([&] { c.ask({.url = s.url() + "/1001"}, in(5s)); }).text, ContainsSubstring("too long"));
  CHECK(c.ask({.url = s.url() + "/5"}, in(5s)).content == "xxxxx");
}

TEST_CASE("a file of authorities that can't be read is told") {
  http_server const s{[](http_request const&) { return http_answer{}; }};
  connection c{{.who = "test_offsets", .where = "test_offsets: the server", .ca_file = "/no/such/file"}};
  auto const e = error_of([&] { c.ask({.url = "https" + s.url().substr(4)}, in(5s)); });
  CHECK(e.code == sl::errc::bad_configuration);
  CHECK_THAT(e.text, ContainsSubstring("test_offsets.ca_file = /no/such/file"));
}
