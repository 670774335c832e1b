#include <sluice/offset_store/redis.hpp>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

sl::redis_offsets policy(setup const& s) {
  auto const colon = s.address.find_last_of(':');
  if (colon == s.address.npos) throw std::runtime_error("--at takes HOST:PORT of the Redis");
  return {.host = s.address.substr(0, colon),
          .port = std::stoi(s.address.substr(colon + 1)),
          .password_variable = std::getenv("REDIS_PASSWORD") ? "REDIS_PASSWORD" : ""};
}

void run(member const& m) {
  run_course(m, policy(m.s), [](sl::redis_transaction& tx, std::string_view address, std::int64_t bytes) {
    tx.hincr_by(tx.slot() + ":hits", address, 1);
    tx.hincr_by(tx.slot() + ":bytes", address, bytes);
  });
}

using reply = std::unique_ptr<redisReply, void (*)(redisReply*)>;

hits_of_clients take_hits(setup const& s) {
  auto const p = policy(s);
  std::unique_ptr<redisContext, void (*)(redisContext*)> const redis{redisConnect(p.host.c_str(), p.port), redisFree};
  auto const ask = [&](std::vector<std::string> const& words) {
    std::vector<char const*> argv;
    std::vector<std::size_t> sizes;
    for (auto const& w : words) argv.push_back(w.data()), sizes.push_back(w.size());
    auto* r = redisCommandArgv(redis.get(), static_cast<int>(words.size()), argv.data(), sizes.data());
    if (!r) throw std::runtime_error(redis->errstr);
    reply answer{static_cast<redisReply*>(r), [](redisReply* one) { freeReplyObject(one); }};
    if (answer->type == REDIS_REPLY_ERROR) throw std::runtime_error(answer->str);
    return answer;
  };
  if (auto const* password = std::getenv("REDIS_PASSWORD")) ask({"AUTH", password});
  auto const slot = "{" + p.prefix + ":" + s.group + "}";
  hits_of_clients all;
  auto const read = [&](std::string const& key, std::int64_t hits::* to) {
    auto const fields = ask({"HGETALL", key});
    for (std::size_t i = 0; i + 1 < fields->elements; i += 2)
      all[fields->element[i]->str].*to = std::stoll(fields->element[i + 1]->str);
    ask({"DEL", key});
  };
  read(slot + ":hits", &hits::count);
  read(slot + ":bytes", &hits::bytes);
  return all;
}

registered const here{
    {"redis", "HOST:PORT; its password is in REDIS_PASSWORD", promised_by<sl::redis_offsets>, run, take_hits}};

}}  // namespace crash_course
