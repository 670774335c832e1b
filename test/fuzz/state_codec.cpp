// Keys and values of state: whatever the bytes, they are refused, or mean one value, which is written as it was.
#include <sluice/state/codec.hpp>

#include "fuzz.hpp"

namespace {
enum class colour : std::uint8_t { red, green };
struct visit {
  std::int64_t count = 0;
  std::string last{};
  std::optional<std::vector<double>> times{};
};
/// It had two members once.
struct grown {
  std::uint16_t a = 0;
  std::string b{};
  bool c = false;
};
}  // namespace

template <>
struct sluice::codec<visit> : sluice::members_of<&visit::count, &visit::last, &visit::times> {};
template <>
struct sluice::codec<grown> : sluice::members_of<&grown::a, &grown::b, &grown::c> {
  static constexpr std::uint32_t version = 2;
  static grown decode(sluice::decoder& from, std::uint32_t written) {
    return written == 1 ? sluice::members_of<&grown::a, &grown::b>::read(from) : read(from);
  }
};

namespace {

using namespace fuzz;

template <class T>
void read(std::string_view bytes, bool may_have_grown = false) {
  std::optional<T> value;
  must_be_shown(refused<sl::unreadable>([&] { value = sl::decoded<T>(bytes); }));
  if (!value) return;
  auto const written = sl::encoded(*value);
  if (!may_have_grown) must(written == bytes, "a value is written as it was read");
  must(sl::encoded(sl::decoded<T>(written)) == written, "and read again");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  read<std::int64_t>(text);
  read<bool>(text);
  read<float>(text);
  read<colour>(text);
  read<std::string>(text);
  read<std::vector<std::string>>(text);
  read<std::vector<std::vector<std::uint16_t>>>(text);
  read<std::vector<bool>>(text);
  read<std::optional<std::pair<std::string, double>>>(text);
  read<std::tuple<std::int8_t, std::chrono::milliseconds, std::chrono::sys_time<std::chrono::milliseconds>>>(text);
  read<visit>(text);
  read<std::vector<visit>>(text);
  read<grown>(text, true);
  return 0;
}
