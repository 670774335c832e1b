/// \file offset_store/zookeeper_operations.hpp  What is to be changed in ZooKeeper at once: all of it happens, or nothing.
#pragma once
#ifndef THREADED
#define THREADED
#endif
#include <zookeeper/zookeeper.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice { inline namespace v0 { namespace detail::zookeeper {

/// One request of several changes (ZooKeeper's multi). A version is what the node must have.
class operations {
 public:
  struct operation {
    enum kind_t { create, set, remove, check } kind = check;
    std::string path{};
    std::string data{};
    std::int32_t version = 0;
  };

  operations& create(std::string path, std::string data) {
    return add({operation::create, std::move(path), std::move(data)});
  }
  operations& set(std::string path, std::string data, std::int32_t version) {
    return add({operation::set, std::move(path), std::move(data), version});
  }
  operations& remove(std::string path, std::int32_t version) {
    return add({operation::remove, std::move(path), {}, version});
  }
  operations& check(std::string path, std::int32_t version) {
    return add({operation::check, std::move(path), {}, version});
  }
  operations& append(operations const& other) {
    for (auto const& o : other.all_) add(o);
    return *this;
  }

  std::vector<operation> const& all() const { return all_; }
  bool empty() const { return all_.empty(); }
  /// No less than it takes as a request, and in a server's log.
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<operation> all_{};
  std::size_t bytes_ = 128;

  operations& add(operation o) {
    bytes_ += o.path.size() + o.data.size() + 80;
    all_.push_back(std::move(o));
    return *this;
  }
};

/// The same for the C client, and what it answers. Stays where it is until the answer is there.
class operations_in_c {
  std::vector<zoo_op_t> ops_{};
  std::vector<Stat> stats_{};
  std::vector<zoo_op_result_t> results_{};

 public:
  /// `all` must live until the request was made.
  operations_in_c(operations const& all, ACL_vector const& acl)
      : ops_(all.all().size()), stats_(ops_.size()), results_(ops_.size()) {
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      auto const& o = all.all()[i];
      auto const size = static_cast<int>(o.data.size());
      switch (o.kind) {
        case operations::operation::create:
          zoo_create_op_init(&ops_[i], o.path.c_str(), o.data.data(), size, &acl, 0, nullptr, 0);
          break;
        case operations::operation::set:
          zoo_set_op_init(&ops_[i], o.path.c_str(), o.data.data(), size, o.version, &stats_[i]);
          break;
        case operations::operation::remove:
          zoo_delete_op_init(&ops_[i], o.path.c_str(), o.version);
          break;
        case operations::operation::check:
          zoo_check_op_init(&ops_[i], o.path.c_str(), o.version);
          break;
      }
    }
  }
  operations_in_c(operations_in_c const&) = delete;
  operations_in_c& operator=(operations_in_c const&) = delete;

  int send(zhandle_t* z, void_completion_t completion, void const* data) {
    return zoo_amulti(z, static_cast<int>(ops_.size()), ops_.data(), results_.data(), completion, data);
  }
  /// Which one was refused; the number of all where none was.
  std::size_t refused() const {
    for (std::size_t i = 0; i < results_.size(); ++i)
      if (results_[i].err != ZOK && results_[i].err != ZRUNTIMEINCONSISTENCY) return i;
    return results_.size();
  }
  /// That a node which was set has now.
  std::int32_t version(std::size_t i) const { return stats_[i].version; }
};

}}}  // namespace sluice::v0::detail::zookeeper
