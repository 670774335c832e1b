#include <sluice/offset_store/file.hpp>

#include <filesystem>

#include "../courses.hpp"
#include "../store.hpp"

namespace crash_course { namespace {

constexpr std::string_view prefix = "hits of ";

/// "COUNT BYTES", as a value of the folder's.
hits parsed(std::string_view text) {
  hits h;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), h.count);
  std::from_chars(end + 1, text.data() + text.size(), h.bytes);
  return h;
}

hits_of_clients take_hits(setup const& s) {
  hits_of_clients all;
  for (auto const& [name, value] : sl::read_generation(s.offsets()).values)
    if (name.starts_with(prefix)) all[name.substr(prefix.size())] = parsed(value.content);
  return all;
}

void run(member const& m) {
  std::filesystem::create_directory(m.s.offsets());
  run_course(m, sl::file_offsets{.directory = m.s.offsets()},
             [](sl::file_transaction& tx, std::string_view address, std::int64_t bytes) {
               auto const name = std::string(prefix) + std::string(address);
               auto h = parsed(tx.get_text(name).value_or("0 0"));
               tx.put(name, fmt::format("{} {}", h.count + 1, h.bytes + bytes));
             });
}

registered const here{{"file", "", promised_by<sl::file_offsets>, run, take_hits}};

}}  // namespace crash_course
