/// Where the records come from: an embedded broker or a real cluster, and the input written to a topic of it.
#pragma once
#include "verdict.hpp"

#include <memory>
#include <string>

namespace sluice { inline namespace v0 { namespace testing {
class embedded_broker;
}}}  // namespace sluice::v0::testing

namespace crash_course {

class stream {
  std::unique_ptr<sl::testing::embedded_broker> embedded_;
  std::string brokers_;
  std::string topic_;
  input input_;

 public:
  /// Reads the file and writes its lines, each to the partition of its client; returns when all are acknowledged.
  /// `brokers` empty: an embedded broker. Throws std::runtime_error.
  stream(std::string const& file, std::string const& brokers);
  stream(stream const&) = delete;
  ~stream();

  bool embedded() const { return embedded_ != nullptr; }
  std::string const& brokers() const { return brokers_; }
  std::string const& topic() const { return topic_; }
  input const& lines() const { return input_; }
};

}  // namespace crash_course
