// What `sluice-letters` reads: lines of dead_letter_file, headers in columns of tables, PATH.returned.
#include <sluice/detail/letter_json.hpp>

#include "letters/json.hpp"
#include "letters/progress.hpp"
#include "own_record.hpp"

namespace {

using namespace fuzz;
namespace tool = letters_tool;
namespace d = sl::detail;

using plain_headers = std::vector<std::pair<std::string, std::optional<std::string>>>;
plain_headers plain(std::vector<tool::own_header> const& all) {
  plain_headers out;
  for (auto const& h : all) out.emplace_back(h.name, h.value);
  return out;
}
auto all_of(tool::letter const& l) {
  return std::tuple{l.topic, l.partition,      l.offset, l.incarnation, l.timestamp, l.key,
                    l.value, plain(l.headers), l.error,  l.attempts,    l.first};
}

/// As a line has it: a byte that is no UTF-8 is U+FFFD.
std::string kept(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    auto const n = d::utf8_length(text);
    out += n ? text.substr(0, n) : "\ufffd";
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

void line(std::string const& text) {
  auto f = tool::letter_of_line(text, "line 7");
  auto const fate = tool::fate_of(f, {});
  must_be_shown(f.damage);
  must(f.damage.empty() == (fate != tool::fate::damaged), "what is damaged goes nowhere");
  auto const again = tool::letter_of_line(tool::json_of(f), "again");
  if (!f.damage.empty()) return must(!again.damage.empty(), "nor is it shown as a letter");
  auto const& l = f.what;
  must(l.partition >= 0 && l.partition <= INT32_MAX && l.offset >= 0 && l.incarnation >= 0, "places are places");
  must(again.damage.empty() && all_of(again.what) == all_of(l), "what is read is shown, and read again");
  if (fate != tool::fate::goes) return;
  tool::put_back(l, {},
                 [&](std::string const& topic, sl::payload key, sl::payload value, sl::header_list const& headers) {
                   tool::letter back{.topic = topic};
                   if (key.data().data()) back.key = sl::as_text(key.data());
                   if (value.data().data()) back.value = sl::as_text(value.data());
                   for (auto const& h : headers.all())
                     back.headers.push_back({std::string(h.name), std::string(sl::as_text(h.value))});
                   must(back.topic == l.topic && back.key == l.key && back.value == l.value, "it goes back as it was");
                   must(tool::times_returned(back) == tool::times_returned(l) + 1, "and that is counted");
                 });
}

void returned(std::string const& text) {
  tool::progress read;
  auto const why = refused<tool::failure>([&] { read = tool::progress_of(text, "letters.returned"); });
  must_be_shown(why);
  if (!why.empty()) return must(why.starts_with("letters.returned "), "an error says where");
  must(read.left.empty() || *read.left.rbegin() < read.next, "what was left lies in front of what comes next");
  must(tool::progress_of(tool::text_of(read), "again") == read, "what is read is written, and read again");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const text{text_of(data, size)};
  line(text);
  returned(text);
  must_be_shown(refused<tool::failure>([&] { static_cast<void>(tool::headers_of_json(text)); }));

  // What was written of a record that failed is read as it was.
  pieces in{text};
  auto const topic = in.line(), error = in.line();
  auto const attempts = static_cast<unsigned>(in.number());
  own_record const one{kept_record_in(in), {"t" + topic, 3}};
  auto const r = one.get();
  auto written = d::json_line({.what = r, .error = error, .attempts = attempts, .first = r.timestamp()});
  written.pop_back();
  auto const f = tool::letter_of_line(written, "line 7");
  auto const ms = std::int64_t{r.timestamp().time_since_epoch().count()};
  tool::letter l{.topic = kept("t" + topic), .partition = 3, .offset = r.offset().value(), .incarnation = 42};
  l.timestamp = l.first = ms;
  if (r.has_key()) l.key = r.key_text();
  if (!r.is_tombstone()) l.value = r.text();
  for (sl::header const h : r.headers())
    l.headers.push_back(
        {kept(h.name), h.value.data() ? std::optional{std::string(sl::as_text(h.value))} : std::nullopt});
  l.error = kept(error);
  l.attempts = attempts;
  must(f.damage.empty() && all_of(f.what) == all_of(l), "a letter is read as it was written");
  auto const column = d::headers_column(r);
  must(column.has_value() == !l.headers.empty(), "a column has the headers that there are");
  must(!column || plain(tool::headers_of_json(*column)) == plain(l.headers), "as they were");

  tool::progress done{.next = static_cast<std::uint64_t>(r.offset().value()) + 1, .first_line = kept(error)};
  for (auto const c : text) done.left.insert(static_cast<unsigned char>(c) % done.next);
  must(tool::progress_of(tool::text_of(done), "letters.returned") == done,
       "what has gone back is read as it was written");
  return 0;
}
