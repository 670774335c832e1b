/// What the examples have in common: a topic to read, in an embedded broker of their own or in a cluster that is named.
#pragma once
#include <sluice/testing/embedded_broker.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {

struct line {
  std::string key{};
  std::string value{};
};

/// 10,000 real lines of a web server, keyed by the client's address.
inline std::vector<line> access_log(std::size_t at_most = 10'000) {
  std::ifstream file{SLUICE_SOURCE_DIR "/example/data/apache_access.log"};
  if (!file) throw std::runtime_error("example/data/apache_access.log isn't where it was when this was compiled");
  std::vector<line> lines;
  for (std::string text; lines.size() < at_most && std::getline(file, text);)
    lines.push_back({text.substr(0, text.find(' ')), text});
  return lines;
}

/// `--brokers LIST` names a cluster whose topic is read as it is, without end. Without it, two partitions of an embedded
/// broker are filled with `lines`, and the example ends when it has read them.
class topic {
  std::string name_;
  std::string brokers_{};
  std::size_t size_ = static_cast<std::size_t>(-1);
  std::unique_ptr<sluice::testing::embedded_broker> embedded_{};

 public:
  topic(int argc, char** argv, std::string name, std::vector<line> const& lines) : name_(std::move(name)) {
    if (argc == 3 && std::string_view{argv[1]} == "--brokers") {
      brokers_ = argv[2];
      return;
    }
    embedded_ = std::make_unique<sluice::testing::embedded_broker>();
    embedded_->create_topic(name_, 2);
    std::array<std::vector<sluice::testing::produced>, 2> parts;
    for (auto const& l : lines) parts[std::hash<std::string>{}(l.key) % 2].push_back({.key = l.key, .value = l.value});
    for (std::int32_t p = 0; auto const& part : parts) embedded_->produce_all(name_, p++, part);
    brokers_ = embedded_->bootstrap();
    size_ = lines.size();
  }
  std::string const& brokers() const { return brokers_; }
  std::string const& name() const { return name_; }
  std::size_t size() const { return size_; }
  /// Another topic in the same place, for what an example writes.
  void also(std::string const& name) const {
    if (embedded_) embedded_->create_topic(name, 2);
  }
};

/// A stop for `run`: when `count` has reached the size of the topic.
struct until_read {
  std::size_t const& count;
  topic const& of;
  bool stop_requested() const { return count >= of.size(); }
};

}  // namespace demo
