/// \file refused_properties.hpp  What librdkafka's configuration says to properties, and an error of it.
#pragma once
#include <sluice/source/rdkafka_config.hpp>

#include "catch.hpp"

#include <functional>

using namespace sluice;
using Catch::Matchers::ContainsSubstring;

inline std::string const canary = "canary-5f3c91";

using properties_t = std::map<std::string, std::string>;

inline rdkafka_settings with(std::map<std::string, std::string> properties) {
  return {.brokers = "localhost:1", .group = "g", .properties = std::move(properties)};
}

struct refusal {
  errc code{};
  std::string text{};
};

inline refusal refused(std::function<void()> const& f) {
  try {
    f();
  } catch (error const& e) { return {e.code(), e.what()}; }
  FAIL("not refused");
  return {};
}

inline refusal refused(std::map<std::string, std::string> properties) {
  return refused([&] { detail::make_rdkafka_conf(with(std::move(properties))); });
}
