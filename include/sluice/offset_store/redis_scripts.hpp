/// \file offset_store/redis_scripts.hpp  The scripts that run inside Redis: each looks at everything before it changes anything.
///
/// A topic of a group is one hash, `{PREFIX:GROUP}:offsets:TOPIC`: a field for each partition with seven words: next offset,
/// incarnation, the fence's turn and nonce, leader epoch, offset and hash of the last record; `-` is none. Beside them
/// `partitions` (the topic record), `format`, and `life:N`, the last incarnation that a rewind gave partition N. Numbers
/// of 64 bits stay text, or two halves: Lua's own numbers hold 53 bits.
///
/// Arguments are read in their order by arg(); the first is a tag, which comes back as the answer's first word.
#pragma once
#include <array>
#include <cstddef>
#include <string>

namespace sluice { inline namespace v0 { namespace detail::redis {

inline constexpr char const* format = "1";

struct script {
  std::size_t number;
  char const* body;
};

/// What all scripts begin with. owned() answers what to return where the position can't be read, or its next offset,
/// incarnation and last three words if it stands under this fence.
inline constexpr char const* prelude = R"lua(
local tag, at = ARGV[1], 1
local function arg() at = at + 1; return ARGV[at] end
local function count() return tonumber(arg()) end
local function split(v)
  return string.match(v, '^([%d-]+) (%d+) (%d+) ([%d-]+) ([%d-]+) ([%d-]+) ([%d-]+)$')
end
local function join(...) return table.concat({...}, ' ') end
local function damaged(key, field) return {tag, 'damaged', key, field} end
local function plus_one(n)
  local head, digit, nines = string.match(n, '^(%d*)([0-8])(9*)$')
  if not head then return '1' .. string.rep('0', #n) end
  return head .. (digit + 1) .. string.rep('0', #nines)
end
local function next_life(last, now)
  local n = plus_one(last)
  if #n > #now or (#n == #now and n > now) then return n end
  return now
end
local function owned(key, p, turn, nonce)
  local v = redis.call('HGET', key, p)
  if not v then return nil end
  local next, life, t, n, epoch, last, hash = split(v)
  if not next then return damaged(key, p) end
  if t == turn and n == nonce then return nil, next, life, join(epoch, last, hash) end
end
local function change(positions)
  for _, w in ipairs(positions) do redis.call('HSET', w[1], w[2], w[3]) end
end
)lua";

inline std::string text_of(script const& s) { return std::string{prelude} + s.body; }

/// KEYS: the topics. ARGV: now in ms; for each topic: number of starts (or `-`: not asked for) and the starts; number of
/// partitions whose earliest offset is known, and each with it; number of partitions to claim, and each with a nonce.
/// Answers `ask` and the known number of partitions of each topic (`-`: none) where something is missing, and then has
/// changed nothing; or `ok` and for each claim what it is and its seven words.
inline constexpr script claim_script{0, R"lua(
local now = arg()
local topics, ask = {}, false
for k, key in ipairs(KEYS) do
  local t = {starts = {}, early = {}, parts = {}, needed = 0}
  topics[k] = t
  local n = arg()
  t.asked = n ~= '-'
  for i = 1, tonumber(n) or 0 do t.starts[i] = arg() end
  for i = 1, count() do local p = arg(); t.early[p] = arg() end
  for i = 1, count() do
    t.parts[i] = {p = arg(), nonce = arg()}
    t.needed = math.max(t.needed, t.parts[i].p + 1)
  end
  if redis.call('EXISTS', key) == 1 then
    local f = redis.call('HGET', key, 'format')
    if f ~= '1' then return {tag, 'format', key, f or ''} end
    local known = redis.call('HGET', key, 'partitions')
    if not known or not string.match(known, '^%d+$') or #known > 9 then return damaged(key, 'partitions') end
    t.known = tonumber(known)
    for _, c in ipairs(t.parts) do
      c.value = redis.call('HGET', key, c.p)
      if c.value and not split(c.value) then return damaged(key, c.p) end
      local life = redis.call('HGET', key, 'life:' .. c.p)
      if life and not string.match(life, '^%d+$') then return damaged(key, 'life:' .. c.p) end
    end
  end
  t.base = t.known or #t.starts
  if not t.known and not t.asked then ask = true end
  for p = t.base, t.needed - 1 do
    if not t.early[tostring(p)] then ask = true end
  end
end
if ask then
  local answer = {tag, 'ask'}
  for _, t in ipairs(topics) do answer[#answer + 1] = t.known and tostring(t.known) or '-' end
  return answer
end
local answer = {tag, 'ok'}
for k, key in ipairs(KEYS) do
  local t = topics[k]
  local function create(p, next)
    local last = t.known and redis.call('HGET', key, 'life:' .. p) or '0'
    local v = join(next, next_life(last, now), '0 - -1 - -')
    redis.call('HSET', key, p, v)
    return v
  end
  if not t.known then
    redis.call('HSET', key, 'format', '1')
    for i, start in ipairs(t.starts) do create(i - 1, start) end
  end
  for p = t.base, t.needed - 1 do create(p, t.early[tostring(p)]) end
  if t.base < t.needed or not t.known then
    redis.call('HSET', key, 'partitions', math.max(t.base, t.needed))
  end
  for _, c in ipairs(t.parts) do
    local v = c.value or redis.call('HGET', key, c.p) or create(c.p, '-')
    local next, life, turn, _, epoch, last, hash = split(v)
    v = join(next, life, plus_one(turn), c.nonce, epoch, last, hash)
    redis.call('HSET', key, c.p, v)
    answer[#answer + 1] = next == '-' and 'missing' or tonumber(c.p) >= t.base and 'added' or t.known and 'stored' or 'first'
    answer[#answer + 1] = v
  end
end
return answer
)lua"};

/// KEYS: the topics. ARGV: for each move the number of its key, partition, from, turn, nonce, until, and the last three
/// words. Answers `ok` and a letter for each: `a` applied, now or before, `r` refused.
inline constexpr script advance_script{1, R"lua(
local changes, answer = {}, {}
while at < #ARGV do
  local key, p, from, turn, nonce, to, log = KEYS[count()], arg(), arg(), arg(), arg(), arg(), arg()
  local bad, next, life = owned(key, p, turn, nonce)
  if bad then return bad end
  if next == from then changes[#changes + 1] = {key, p, join(to, life, turn, nonce, log)} end
  answer[#answer + 1] = (next == from or next == to) and 'a' or 'r'
end
change(changes)
return {tag, 'ok', table.concat(answer)}
)lua"};

/// KEYS: the topics, and the list of rewinds. ARGV: now in ms, how many rewinds are kept; for each the number of its key,
/// the topic's name, partition, turn, nonce, where to, a new nonce, the cause. Answers `ok` and for each its seven words, or
/// nothing where the fence is another.
inline constexpr script record_script{2, R"lua(
local now, kept, list = arg(), arg(), KEYS[#KEYS]
local changes, lines, answer = {}, {}, {tag, 'ok'}
redis.call('LLEN', list)
while at < #ARGV do
  local key, topic, p, turn, nonce = KEYS[count()], arg(), arg(), arg(), arg()
  local to, fresh, cause = arg(), arg(), arg()
  local bad, next, life = owned(key, p, turn, nonce)
  if bad then return bad end
  local is = ''
  if next then
    life = next_life(life, now)
    is = join(to, life, plus_one(turn), fresh, '-1 - -')
    changes[#changes + 1] = {key, p, is}
    changes[#changes + 1] = {key, 'life:' .. p, life}
    lines[#lines + 1] = join(topic, p, next, to, life, now, cause)
  end
  answer[#answer + 1] = is
end
change(changes)
for _, line in ipairs(lines) do redis.call('RPUSH', list, line) end
if #lines > 0 then redis.call('LTRIM', list, '-' .. kept, '-1') end
return answer
)lua"};

/// KEYS: the topics. ARGV: for each claim the number of its key, partition, turn, nonce.
inline constexpr script release_script{3, R"lua(
local changes = {}
while at < #ARGV do
  local key, p, turn, nonce = KEYS[count()], arg(), arg(), arg()
  local bad, next, life, log = owned(key, p, turn, nonce)
  if bad then return bad end
  if next then changes[#changes + 1] = {key, p, join(next, life, turn, '-', log)} end
end
change(changes)
return {tag, 'ok'}
)lua"};

/// KEYS: the topics, and the handler's keys. ARGV: `look` or `commit`; number of moves, and each as in an advance; for each
/// command its name, the number of its key, the number of its arguments, and those. Answers a letter for each move: `a` it
/// holds, `b` it was applied before, `r` refused; in front of them `ok`, or `applied` where all hold and everything was
/// done. Or `bad`, the number of the command that Redis would refuse, why, and what was found; then nothing was done.
/// An error NOPERM, and nothing done, where the user may not write the topics, also for `look`.
///
/// A key that a command has made or changed keeps its type until DEL, also where HDEL, SREM or ZREM have emptied it.
inline constexpr script commit_script{4, R"lua(
local mode, changes, answer, hold = arg(), {}, {}, true
for i = 1, count() do
  local key, p, from, turn, nonce, to, log = KEYS[count()], arg(), arg(), arg(), arg(), arg(), arg()
  if not redis.acl_check_cmd('HSET', key, p, to) then return redis.error_reply('NOPERM HSET of the store') end
  local bad, next, life = owned(key, p, turn, nonce)
  if bad then return bad end
  local a = next == from and 'a' or next == to and 'b' or 'r'
  if a == 'a' then changes[i] = {key, p, join(to, life, turn, nonce, log)} end
  hold = hold and a == 'a'
  answer[i] = a
end
answer = table.concat(answer)
if mode == 'look' or not hold then return {tag, 'ok', answer} end

local half = 1000000000
local function normal(high, low)
  if low < 0 then return {high - 1, low + half} end
  if low >= half then return {high + 1, low - half} end
  return {high, low}
end
local function number(v)
  if type(v) == 'table' then return v end
  local sign, digits = string.match(v, '^(%-?)([1-9]%d*)$')
  if v == '0' then sign, digits = '', '0' end
  if not digits or #digits > 19 then return nil end
  local high, low = tonumber(string.sub(digits, 1, -10)) or 0, tonumber(string.sub(digits, -9))
  if sign == '-' then high, low = -high, -low end
  return normal(high, low)
end
local function fits(n)
  local high, low = n[1], n[2]
  if high > 0 then return high < 9223372036 or (high == 9223372036 and low <= 854775807) end
  return high > -9223372037 or (high == -9223372037 and low >= 145224192)
end
local function sum(a, b)
  local n = normal(a[1] + b[1], a[2] + b[2])
  return fits(n) and n or nil
end

local wanted = {INCRBY = 'string', HSET = 'hash', HDEL = 'hash', HINCRBY = 'hash', SADD = 'set', SREM = 'set',
                RPUSH = 'list', ZADD = 'zset', ZREM = 'zset'}
local keys, commands = {}, {}
while at < #ARGV do
  local name, key, words = arg(), KEYS[count()], {}
  for i = 1, count() do words[i] = arg() end
  local i = #commands + 1
  commands[i] = {name, key, unpack(words)}
  local function bad(why, found) return {tag, 'bad', tostring(i), why, found or ''} end
  local is = keys[key]
  if not is then
    is = {type = redis.call('TYPE', key).ok, fields = {}}
    keys[key] = is
  end
  if not redis.acl_check_cmd(unpack(commands[i])) then return bad('right') end
  local want = wanted[name]
  if want and is.type ~= 'none' and is.type ~= want then return bad('type', is.type) end
  if name == 'SET' then
    keys[key] = {type = 'string', fresh = true, value = words[1], fields = {}}
  elseif name == 'DEL' then
    keys[key] = {type = 'none', fresh = true, fields = {}}
  elseif name == 'INCRBY' then
    if not is.value and not is.fresh then is.value = redis.call('GET', key) end
    local old = number(is.value or '0')
    if not old or not fits(old) then return bad('integer') end
    is.value = sum(old, number(words[1]))
    if not is.value then return bad('overflow') end
  elseif name == 'HSET' then
    is.fields[words[1]] = words[2]
  elseif name == 'HDEL' then
    is.fields[words[1]] = false
  elseif name == 'HINCRBY' then
    local field = words[1]
    local value = is.fields[field]
    if value == nil and not is.fresh then value = redis.call('HGET', key, field) end
    local old = number(value or '0')
    if not old or not fits(old) then return bad('integer') end
    is.fields[field] = sum(old, number(words[2]))
    if not is.fields[field] then return bad('overflow') end
  end
  if want then keys[key].type = want end
end
for _, c in ipairs(commands) do redis.call(unpack(c)) end
change(changes)
return {tag, 'applied', answer}
)lua"};

/// KEYS: hashes. ARGV: for each the number of its fields that are wanted, and those. Answers `ok` and a text for each field;
/// empty where there is none.
inline constexpr script read_script{5, R"lua(
local answer = {tag, 'ok'}
for _, key in ipairs(KEYS) do
  local left = count()
  while left > 0 do
    local fields = {}
    for i = 1, math.min(left, 1000) do fields[i] = arg() end
    local found = redis.call('HMGET', key, unpack(fields))
    for i = 1, #fields do answer[#answer + 1] = found[i] or '' end
    left = left - #fields
  end
end
return answer
)lua"};

inline constexpr std::array all_scripts{&claim_script,   &advance_script, &record_script,
                                        &release_script, &commit_script,  &read_script};
inline constexpr std::size_t number_of_scripts = all_scripts.size();

}}}  // namespace sluice::v0::detail::redis
