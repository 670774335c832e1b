// Statements and names of users' in SQL: looked at, never believed.
#include <sluice/detail/letter_json.hpp>
#include <sluice/detail/sql_text.hpp>
#include <sluice/offset_store/mysql_text.hpp>

#include <nlohmann/json.hpp>

#include "fuzz.hpp"

using namespace fuzz;
namespace d = sl::detail;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  for (d::sql_comments const c : {d::sql_comments{true, false}, {false, true}})
    for (auto const& word : d::first_words(text, c))
      for (char const letter : word)
        must((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_', "words are words");

  auto const utf8 = d::as_utf8(text);
  must(d::as_utf8(utf8) == utf8, "what is UTF-8 stays");
  for (std::string_view left = utf8; !left.empty();) {
    auto const n = d::utf8_length(left);
    must(n > 0, "what is made UTF-8 is UTF-8");
    left.remove_prefix(n);
  }
  must(d::beginning_of(text).size() < 90, "of a statement a little is shown");
  if (d::is_sql_name(text)) must(text.find_first_of("\"'`;- \n") == text.npos, "a name is no statement");

  // A row of MariaDB's, as JSON that the server reads.
  pieces in{utf8};
  auto const one = in.line(), other = std::string{in.rest()};
  auto const row = nlohmann::json::parse(d::mysql::row_set{}.row(one, std::int64_t{7}, other).json(), nullptr, false);
  must(!row.is_discarded() && row.size() == 1 && row[0].size() == 3, "a row is one row");
  must(row[0][0] == one && row[0][1] == "7" && row[0][2] == other, "and says what it was given");
  auto const literal = d::mysql::literal(text);
  must(literal.find_first_not_of("_utf8mb x'0123456789abcdef") == literal.npos, "a literal is digits");
  return 0;
}
