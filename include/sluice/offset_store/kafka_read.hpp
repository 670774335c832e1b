/// \file offset_store/kafka_read.hpp  A group's offsets in Kafka, and who its members are, read without joining it.
#pragma once
#include <sluice/offset_store/kafka.hpp>
#include <sluice/offset_store/kept_position.hpp>
#include <sluice/offset_store/periodic_kafka.hpp>
#include <sluice/source/rdkafka_ask.hpp>
#include <sluice/source/rdkafka_positions.hpp>

namespace sluice { inline namespace v0 {

/// A member of a group. Only of groups with members; what is not told is empty.
struct group_member {
  std::string client_id{};
  std::string host{};
};

namespace detail {

/// A client that is in no group, for one question to the brokers after another.
template <class Context>
std::shared_ptr<late<rdkafka_instance, Context>> onlooker(Context const& c) {
  return std::make_shared<late<rdkafka_instance, Context>>(
      rdkafka_settings{
          .brokers = c.brokers, .group = c.group, .properties = c.properties, .subscribe = false, .log = c.log},
      std::make_shared<late<bell, Context>>());
}

/// Partitions of all topics that this user may see, but Kafka's own. Throws error(no_broker).
template <class Partition = topic_partition>
std::vector<Partition> ask_all_partitions(rd_kafka_t& client, time_point by) {
  struct rd_kafka_metadata const* found = nullptr;
  for (;;) {
    auto const e = rd_kafka_metadata(&client, 1, nullptr, &found, std::max(1, milliseconds_until(by)));
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (milliseconds_until(by) == 0) throw_no_broker("which topics are there?");
    pause_before_asking_again(by);
  }
  std::vector<Partition> all;
  for (int t = 0; t < found->topic_cnt; ++t) {
    auto const& topic = found->topics[t];
    if (std::string_view{topic.topic}.starts_with("__")) continue;
    for (int p = 0; p < topic.partition_cnt; ++p) all.push_back({topic.topic, topic.partitions[p].id});
  }
  rd_kafka_metadata_destroy(found);
  return all;
}

}  // namespace detail

/// See kept_position.hpp. Of the topics that are there now. What others committed has no log_state. Kafka keeps no fence, so
/// `held` is always false. Throws error(no_broker) too.
template <class Context = context>
detail::late<std::vector<kept_position>, Context> read_positions(kafka_offsets const&, Context const& c,
                                                                 time_point by) {
  if (c.group.empty()) throw error(errc::bad_configuration, "no group is named whose offsets are to be read");
  auto const client = detail::onlooker(c);
  auto const set = detail::ask_all_partitions(*client->client, by);
  detail::late<detail::rdkafka_positions, Context> group;
  group.use(client);
  detail::late<std::vector<kept_position>, Context> all;
  for (auto const& p : group.read(set, by)) {
    if (p.failed)
      throw store_error(errc::store_unavailable, "Kafka did not tell the committed offset of " + to_string(p.of));
    if (!p.there) continue;
    if (is_newer_note(p.note))
      throw store_error(errc::store_newer, "the committed offset of " + to_string(p.of) +
                                               " was written by a later version of sluice: use that version");
    auto const note = read_note(p.note).value_or(group_note{});
    all.push_back({p.of, p.next, note.log, false, note.store_id});
  }
  return detail::in_order(std::move(all));
}
template <class Context = context>
detail::late<std::vector<kept_position>, Context> read_positions(periodic_kafka_offsets const&, Context const& c,
                                                                 time_point by) {
  return read_positions(kafka_offsets{}, c, by);
}

/// Who is in the group now; a consumer whose partitions are assigned by hand is in none. Throws error(no_broker), and
/// error(client_failed) where the brokers don't tell: not of a group of the new protocol (group.protocol=consumer), nor where
/// this user may not describe it.
template <class Context = context>
detail::late<std::vector<group_member>, Context> group_members(Context const& c, time_point by) {
  if (c.group.empty()) throw error(errc::bad_configuration, "no group is named whose members are asked for");
  auto const client = detail::onlooker(c);
  struct rd_kafka_group_list const* found = nullptr;
  for (;;) {
    auto const e =
        rd_kafka_list_groups(client->client, c.group.c_str(), &found, std::max(1, detail::milliseconds_until(by)));
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (e == RD_KAFKA_RESP_ERR__PARTIAL) rd_kafka_group_list_destroy(found);
    if (e != RD_KAFKA_RESP_ERR__PARTIAL && !detail::passes(e))
      throw error(errc::client_failed,
                  "the brokers don't tell who is in group " + c.group + ": " + rd_kafka_err2str(e));
    if (detail::milliseconds_until(by) == 0) detail::throw_no_broker("who is in group " + c.group + "?");
    detail::pause_before_asking_again(by);
  }
  detail::late<std::vector<group_member>, Context> members;
  bool told = true;
  for (int g = 0; g < found->group_cnt; ++g) {
    auto const& group = found->groups[g];
    if (group.group != c.group) continue;
    // A group that is listed and yet described as dead is one of the new protocol.
    told = group.err == RD_KAFKA_RESP_ERR_NO_ERROR && std::string_view{group.state} != "Dead";
    for (int m = 0; m < group.member_cnt; ++m)
      members.push_back({group.members[m].client_id, group.members[m].client_host});
  }
  rd_kafka_group_list_destroy(found);
  if (!told)
    throw error(errc::client_failed, "the brokers don't tell who is in group " + c.group +
                                         ": it uses the new group protocol, or this user may not describe it");
  return members;
}

}}  // namespace sluice::v0
