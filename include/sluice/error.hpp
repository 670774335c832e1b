/// \file error.hpp  What the library throws: a sentence with the remedy in it, and a code that stays the same.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace sluice { inline namespace v0 {

/// Stable: values are never reused, new ones are appended.
enum class errc {
  bad_configuration = 1,  ///< a key has a value of the wrong shape, or is missing
  unknown_property,       ///< librdkafka has no such property
  owned_property,         ///< the library sets this property itself
  no_broker,              ///< no broker answered within the time limit
  unknown_topic,          ///< the brokers know no such topic
  no_position,            ///< start_at::must_exist, and the group has no stored position
  position_missing,       ///< the group has positions, this partition's is gone
  position_truncated,     ///< another record stands where the last one was consumed
  out_of_range,           ///< the stored offset lies outside the log
  foreign_store,          ///< the partition was last kept in another local store
  two_owners,             ///< two consumers own one partition
  store_unavailable,      ///< the store does not answer, or is locked by another process
  store_full,             ///< no space where the store writes
  store_damaged,          ///< what the store holds can't be read
  store_newer,            ///< written by a later version of the format
  fenced,                 ///< another owner has taken over
  client_failed,          ///< the Kafka client ended with a fatal error
  handler_failed,         ///< a handler threw something that is no std::exception
  dead_letter_failed,     ///< a dead letter could not be made durable
  called_from_handler,    ///< step, close, drain or seek called from inside a handler
  closed,                 ///< the consumer is closed
  bad_statement,          ///< a statement of the handler's own that its database refuses
  conflict,               ///< another transaction was in the way of this one
  login_failed,           ///< TLS or SASL: the brokers and this client don't accept each other
  access_denied,          ///< the brokers know this user, who lacks a right
};

/// Does it stay so until somebody mends something: the program, the configuration, a right, the store? Else another try, or
/// another start of the program, may do.
constexpr bool is_permanent(errc c) {
  switch (c) {
    case errc::no_broker:
    case errc::store_unavailable:
    case errc::client_failed:
    case errc::dead_letter_failed:
    case errc::conflict:
      return false;
    default:
      return true;
  }
}

class error : public std::runtime_error {
  errc code_;

 public:
  error(errc code, std::string const& what) : std::runtime_error("sluice: " + what), code_(code) {}
  errc code() const noexcept { return code_; }
};

/// The store, its connection or its fence failed: never the record's fault, so it reaches no skip or dead letter. Unless
/// on_failure is stop, what is_permanent of it is thrown all the same, and the rest is tried again.
class store_error : public error {
 public:
  using error::error;
};

/// Another transaction was in the way: this one is rolled back, and the batch runs again, whatever on_failure says.
class store_conflict : public store_error {
 public:
  using store_error::store_error;
};

}}  // namespace sluice::v0
