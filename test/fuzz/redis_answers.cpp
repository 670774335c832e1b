// Redis's answers: errors, INFO, settings, and what scripts say.
#include <sluice/offset_store/redis_read.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace redis = sl::detail::redis;

void in_words(std::string_view text) {
  auto const m = redis::meaning_of(text);
  must_be_shown(m.what);
  must(!m.what.empty(), "every error means something");
  auto const value = redis::info_value(text, "aof_enabled");
  must(value.empty() || text.find(value) != text.npos, "a value stands in its text");
  redis::makes_first_file(text);
  sl::claimed c;
  if (sl::detail::read_words(redis::with_nonce(std::string{text}), c)) {
    auto const again =
        sl::detail::position_words(text.starts_with("- ") ? std::nullopt : std::optional{c.next}, c.mine, c.log);
    sl::claimed back;
    must(sl::detail::read_words(again, back) && back.mine == c.mine && back.log == c.log, "words say the same");
  }
}

/// As the client's own reader gives it.
redis::reply reply_of(std::string const& bytes) {
  std::unique_ptr<redisReader, void (*)(redisReader*)> const reader{redisReaderCreate(), redisReaderFree};
  reader->maxbuf = 0;
  void* found = nullptr;
  if (redisReaderFeed(reader.get(), bytes.data(), bytes.size()) != REDIS_OK) return nullptr;
  if (redisReaderGetReply(reader.get(), &found) != REDIS_OK) return nullptr;
  return redis::reply{static_cast<redisReply*>(found)};
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  in_words(text);

  auto const r = reply_of(std::string{text});
  if (!r) return 0;
  redis::settings const s{.who = "redis_offsets", .host = "h", .port = 1, .prefix = "p"};
  redis::introduction const said{s, "redis_offsets: h:1"};
  auto const check = [](auto f) { must_be_shown(refused<sl::store_error>(f)); };
  check([&] { said.check_room(*r); });
  check([&] { said.check_password(*r); });
  check([&] { said.check_database(*r); });
  check([&] { said.check_scripts(*r); });
  check([&] { said.check_role(*r); });
  check([&] { said.check_durable(*r, *r); });

  pieces in{text};
  auto const group = in.line(), another = in.line();
  redis::key_names const one{"p", group}, other{"p", another};
  must(other.are_ours(one.rewinds()) == (group == another), "groups share no key");
  must(other.are_ours(one.topic(another)) == (group == another), "groups share no key");
  return 0;
}
