// Kafka to Kafka, at least once: raw lines become `houseid|gathertime|srcip:srcport|destip:destport|url`, keyed by
// house; what can't be cleaned goes to a topic of its own. One producer serves the consumer, and a batch is stored only
// when every record written for it was acknowledged.
//
// test:
#include "demo.hpp"

#include <sluice/offset_store/kafka.hpp>
#include <sluice/output/kafka.hpp>
#include <sluice/sluice.hpp>

#include <array>

namespace sl = sluice;

namespace {

/// `name=value` fields in any order, divided by blanks; throws where one is missing or would break the format.
std::string clean(std::string_view raw) {
  auto const field = [raw](std::string_view name) {
    for (auto at = raw.find(name); at != raw.npos; at = raw.find(name, at + 1)) {
      if (at > 0 && raw[at - 1] != ' ') continue;
      auto const from = at + name.size();
      auto const value = raw.substr(from, raw.find(' ', from) - from);
      if (!value.empty() && value.find('|') == value.npos) return std::string(value);
    }
    throw std::invalid_argument("no usable " + std::string(name));
  };
  return field("houseid=") + '|' + field("gathertime=") + '|' + field("srcip=") + ':' + field("srcport=") + '|' +
         field("destip=") + ':' + field("destport=") + '|' + field("url=");
}

std::vector<demo::line> raw_lines() {
  std::vector<demo::line> lines;
  for (int i = 0; auto const& l : demo::access_log(1'000)) {
    lines.push_back(
        {l.key, "gathertime=" + std::to_string(1'431'857'103 + i) + " srcip=" + l.key +
                    " srcport=" + std::to_string(40'000 + i) + (i % 100 == 99 ? " destip=" : " destip=10.0.0.5") +
                    " destport=80 houseid=" + std::to_string(i % 7) + " url=http://example.org/" + std::to_string(i)});
    ++i;
  }
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  demo::topic const raw{argc, argv, "raw", raw_lines()};
  raw.also("clean");
  raw.also("unusable");

  sl::kafka_output out{{.brokers = raw.brokers()}};
  sl::stream_consumer consumer{
      sl::at_least_once{},
      sl::kafka_offsets{},
      sl::kafka{.brokers = raw.brokers(), .group = "cleaner", .topics = {raw.name()}},
  };

  std::size_t read = 0, written = 0;
  consumer.run(demo::until_read{read, raw}, [&](sl::batch const& batch) {
    for (sl::record r : batch) try {
        auto const line = clean(r.text());
        out.produce("clean", line.substr(0, line.find('|')), line);
        ++written;
      } catch (std::invalid_argument const& e) {
        out.produce("unusable", r.key(), r.value());
        std::cout << r.partition() << '/' << r.offset().value() << ": " << e.what() << '\n';
      }
    out.flush(std::chrono::seconds{10});  // throws where one was not acknowledged: nothing is stored then
    read += batch.size();
  });

  std::cout << read << " lines read, " << written << " cleaned, " << read - written << " unusable\n";
  return read == raw.size() && read - written == 10 ? 0 : 1;
}
