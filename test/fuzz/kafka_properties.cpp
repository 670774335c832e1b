// librdkafka's properties, as users write them: refused by their names, and no value that may be a secret is cited.
#include <sluice/source/rdkafka_config.hpp>

#include "fuzz.hpp"

using namespace fuzz;
namespace d = sl::detail;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (text_of(data, size).find("canary") != std::string_view::npos) return 0;  // that is ours
  pieces in{text_of(data, size)};
  sl::rdkafka_settings s{.brokers = "localhost:1", .group = "g"};
  while (!in.empty()) {
    auto const key = in.until('='), value = in.line();
    if (key.starts_with("plugin") || (key + value).find('\0') != key.npos) continue;  // would load a library
    if (key.size() < 100) s.properties[key] = value;
  }
  auto const shown = describe(s);
  for (auto const& [key, value] : s.properties)
    if (d::is_secret(key)) must(!d::may_be_printed(key, value), "a secret is not printed");
  refused([&] { static_cast<void>(d::make_rdkafka_conf(s)); });
  must(d::without_secrets(shown, s.properties).size() <= shown.size() + 3 * size,
       "a text with secrets struck out ends");

  // The same, each value with what must not be seen again.
  for (auto& [key, value] : s.properties)
    if (!d::may_be_printed(key, value)) value += "4canary4";
  must(describe(s).find("4canary4") == std::string::npos, "a description has no secrets");
  auto const why = refused([&] { static_cast<void>(d::make_rdkafka_conf(s)); });
  must(why.find("4canary4") == why.npos, "no value is cited");

  std::map<std::string, std::string> const secrets{{"sasl.password", "4canary4"}};
  must(d::without_secrets(std::string{text_of(data, size)} + "4canary4" + shown, secrets).find("4canary4") ==
           std::string::npos,
       "secrets are struck out");
  return 0;
}
