// topic:NAME. Letters and the group's position are one transaction; to look at them joins no group.
#include <sluice/sluice.hpp>

#include "../place.hpp"

namespace letters_tool { namespace {

/// Reads a topic from given offsets up to where it ended when it was begun; in no group.
class onlooker {
  struct destroy {
    void operator()(rd_kafka_t* c) const {
      rd_kafka_consumer_close(c);
      rd_kafka_destroy(c);
    }
  };
  std::unique_ptr<rd_kafka_t, destroy> client_{};
  std::string topic_;
  std::set<std::int32_t> open_{};
  std::map<std::string, std::string> properties_;

 public:
  onlooker(place_words const& w, std::string topic, std::map<std::int32_t, sl::offset> const& from)
      : topic_(std::move(topic)), properties_(w.properties) {
    auto conf = sl::detail::make_rdkafka_conf(
        sl::rdkafka_settings{.brokers = w.brokers, .group = w.group, .properties = w.properties, .subscribe = false});
    rd_kafka_conf_set_events(conf.get(), 0);
    rd_kafka_conf_set_log_cb(conf.get(), nullptr);
    sl::detail::set(*conf, "log.queue", "false");
    sl::detail::set(*conf, "enable.partition.eof", "true");
    char why[512] = "";
    client_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), why, sizeof why));
    if (!client_)
      throw failure{"librdkafka refuses its configuration: " + sl::detail::without_secrets(why, properties_)};
    static_cast<void>(conf.release());
    rd_kafka_poll_set_consumer(client_.get());
    auto list = sl::detail::make_rdkafka_list(from.size());
    for (auto const& [p, at] : from) {
      sl::detail::append(*list, {topic_, p}).offset = at.value();
      open_.insert(p);
    }
    sl::detail::check(rd_kafka_assign(client_.get(), list.get()), "assign");
  }

  /// Calls `each` with up to `most` records; answers how many. 0: all partitions have come to their end.
  template <class Each>
  std::size_t read(std::size_t most, std::chrono::milliseconds patience, Each each) {
    std::size_t n = 0;
    auto give_up = std::chrono::steady_clock::now() + patience;
    while (n < most && !open_.empty()) {
      std::unique_ptr<rd_kafka_message_t, void (*)(rd_kafka_message_t*)> const m{
          rd_kafka_consumer_poll(client_.get(), sl::detail::milliseconds_until(give_up)), rd_kafka_message_destroy};
      if (std::chrono::steady_clock::now() >= give_up && (!m || m->err != RD_KAFKA_RESP_ERR_NO_ERROR))
        throw failure{"topic:" + topic_ + ": nothing came from the brokers in time: are they up?"};
      if (!m) continue;
      if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        open_.erase(m->partition);
        continue;
      }
      if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        auto const code = sl::detail::code_of(m->err);
        if (code == sl::errc::client_failed) continue;  // librdkafka goes on by itself
        throw sl::error(code, "topic:" + topic_ + ": " +
                                  sl::detail::without_secrets(rd_kafka_message_errstr(m.get()), properties_) +
                                  std::string(sl::detail::missing_right(m->err)));
      }
      if (!open_.contains(m->partition)) continue;  // came behind the end
      sl::detail::message const what{.key = m->key,
                                     .value = m->payload,
                                     .key_size = static_cast<std::uint32_t>(m->key_len),
                                     .value_size = static_cast<std::uint32_t>(m->len),
                                     .at = m->offset,
                                     .native = m.get()};
      sl::detail::part const part{&what, &what + 1, {.of = {topic_, m->partition}}, &sl::detail::rdkafka_access};
      each(sl::record{&what, &part});
      ++n;
      give_up = std::chrono::steady_clock::now() + patience;
    }
    return n;
  }
};

/// In front of a letter that can't go back.
struct blocked : failure {
  std::int32_t partition;
  blocked(std::int32_t p, std::string const& why) : failure(why), partition(p) {}
};

/// Counts what is committed.
struct committed {
  using slot = sl::observer_slot;
  tally* of_batch;
  tally* sum;
  std::chrono::steady_clock::time_point* moved;

  void on_advanced(sl::advance_event const& e) const {
    if (std::any_of(e.outcomes.begin(), e.outcomes.end(), [](auto o) { return o != sl::outcome::applied; })) return;
    sum->add(*of_batch);
    *of_batch = {};
    *moved = std::chrono::steady_clock::now();
  }
};

class topic final : public place {
  place_words words_;
  std::optional<brokers> kafka_{};
  std::optional<onlooker> looking_{};

  /// Where the group goes on; without a position, or with one that retention has overtaken, where the log begins.
  std::map<std::int32_t, sl::offset> positions() {
    // What a killed one has left open is not waited for: who begins next ends it.
    auto properties = words_.properties;
    properties["isolation.level"] = "read_uncommitted";
    auto& kafka = kafka_ ? *kafka_ : kafka_.emplace(words_.brokers, words_.group, std::move(properties));
    std::vector<sl::topic_partition> set;
    auto const n = kafka.partition_count(words_.place, words_.by());
    set.reserve(static_cast<std::size_t>(n));
    for (std::int32_t p = 0; p < n; ++p) set.push_back({words_.place, p});
    std::map<std::int32_t, sl::offset> from;
    for (auto const& [of, log] : kafka.ends(set, words_.by())) from[of.partition] = log.low;
    if (words_.all) return from;
    for (auto const& p : kafka.notes(set, words_.by())) {
      if (p.failed) throw failure{name() + ": the brokers don't tell where group " + words_.group + " stands"};
      if (p.there) from[p.of.partition] = std::max(from[p.of.partition], p.next);
    }
    return from;
  }

  /// Behind the last record of each partition that has one from there on: a position need not reach the log's end, where
  /// the marks of transactions lie.
  std::map<std::int32_t, sl::offset> ends(std::map<std::int32_t, sl::offset> const& from) {
    std::map<std::int32_t, sl::offset> until;
    onlooker all{words_, words_.place, from};
    while (all.read(10'000, words_.timeout, [&](sl::record const& r) { until[r.partition()] = r.offset().next(); }) >
           0) {}
    return until;
  }

  /// With one batch after the other, each a transaction; throws blocked in front of a letter that can't go.
  void return_until(std::map<std::int32_t, sl::offset> until, std::vector<sl::topic_partition> const& set,
                    wishes const& w, std::function<void(std::string const&)> const& must_be_there,
                    stop_asked const& stop, std::size_t most_in_batch, tally& sum) {
    if (until.empty()) return;
    tally of_batch;
    auto moved = std::chrono::steady_clock::now();
    sl::stream_consumer consumer{
        sl::transactional{},
        sl::kafka_offsets{.transactional_id = "sluice-letters." + words_.group,
                          .transaction_timeout = std::chrono::seconds{30}},
        sl::kafka_partitions{.brokers = words_.brokers,
                             .group = words_.group,
                             .partitions = set,
                             .properties = words_.properties,
                             .timeout = words_.timeout},
        sl::micro_batch{.max_records = most_in_batch},
        committed{&of_batch, &sum, &moved},
    };
    auto const handler = [&](sl::batch const& b, sl::kafka_transaction& tx) {
      of_batch = {};
      for (sl::record const r : b) {
        auto f = letter_of(r);
        auto const what = fate_of(f, w);
        auto const pass_over = "sluice-offsets set kafka: --group " + words_.group + " --brokers " + words_.brokers +
                               " " + words_.place + ":" + std::to_string(r.partition()) + "=" +
                               std::to_string(r.offset().value() + 1);
        if (what == fate::damaged)
          throw blocked{r.partition(), f.where + ": " + f.damage + ". To pass over it: " + pass_over};
        if (what != fate::goes) {
          of_batch.stays(f, what, w);
          continue;
        }
        auto const& to = destination(f.what, w);
        try {
          must_be_there(to);
          put_back(f.what, w, [&](std::string const& in, sl::payload key, sl::payload value, sl::header_list const& h) {
            tx.produce(in, key, value, h);
          });
        } catch (sl::store_error const&) { throw; } catch (sl::error const& e) {  // of the letter: too large, say
          throw blocked{r.partition(), f.where + ": " + std::string(said_by(e)) + ". To pass over it: " + pass_over};
        } catch (failure const& e) { throw blocked{r.partition(), f.where + ": " + e.what()}; }
        ++of_batch.returned[to];
      }
    };
    while (!until.empty() && !stop()) {
      consumer.step(handler, std::chrono::milliseconds{100});
      for (auto const& p : consumer.positions())
        if (auto const at = until.find(p.of.partition); at != until.end() && p.next >= at->second) until.erase(at);
      if (std::chrono::steady_clock::now() - moved > words_.timeout)
        throw failure{name() + ": nothing came from the brokers in time: are they up?"};
    }
    consumer.close(words_.timeout);
  }

 public:
  explicit topic(place_words const& w) : words_(w) {
    if (w.place.empty()) throw failure{"topic: needs a name, as in topic:orders.dead"};
    if (w.brokers.empty()) throw failure{"topic: needs --brokers HOST:PORT,…"};
  }
  std::string name() const override { return "topic:" + words_.place; }

  void begin() override { looking_.emplace(words_, words_.place, positions()); }
  std::vector<found> next() override {
    std::vector<found> page;
    if (looking_) looking_->read(500, words_.timeout, [&](sl::record const& r) { page.push_back(letter_of(r)); });
    return page;
  }
  std::vector<std::string> gone(std::vector<bool> const&) override { return {}; }

  std::optional<tally> return_all(wishes const& w, std::function<void(std::string const&)> const& must_be_there,
                                  stop_asked const& stop) override {
    tally sum;
    std::set<std::int32_t> closed;  // partitions that have come to a letter that can't go
    for (std::size_t batch = 500; !stop();) {
      auto const from = positions();
      auto until = ends(from);
      std::erase_if(until, [&](auto const& one) { return closed.contains(one.first); });
      // Partitions without letters too: the first claim of a topic is made by who has its partition 0.
      std::vector<sl::topic_partition> set;
      for (auto const& [p, _] : from)
        if (!closed.contains(p)) set.push_back({words_.place, p});
      try {
        return_until(until, set, w, must_be_there, stop, batch, sum);
        break;
      } catch (blocked const& e) {
        if (batch > 1) {
          batch = 1;  // up to that letter
          continue;
        }
        batch = 500;
        closed.insert(e.partition);
        ++sum.not_returned;
        sum.remarks.push_back(e.what());
      }
    }
    return sum;
  }
};

registered const mine{
    {.word = "topic",
     .form = "topic:NAME",
     .help = "a topic that dead_letter_topic wrote to (--brokers); exactly once",
     .takes = {"--group"},
     .open = [](place_words const& w) -> std::unique_ptr<place> { return std::make_unique<topic>(w); }}};

}}  // namespace letters_tool
