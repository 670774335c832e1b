// Elasticsearch's answers: refusals, and what of a document goes into the next request as it is.
#include <sluice/output/elasticsearch_upsert.hpp>

#include "fuzz.hpp"

namespace {

using namespace fuzz;
namespace d = sl::detail;
namespace es = d::elasticsearch;

bool is_number(std::string const& text) { return !text.empty() && text.find_first_not_of("0123456789") == text.npos; }

void look_into(d::json const& answer) {
  auto const status = es::status_of(answer);
  must(status == 0 || is_number(answer.find("status")->is), "a status is a number");
  auto const m = es::meaning_of(status, es::type_of(answer));
  must_be_shown(m.what);
  must(!m.what.empty() && m.what.size() < 400, "every answer means something");

  std::string trouble;
  auto const all = es::seen_in(answer, trouble);
  if (!all) return;
  auto const& docs = answer.find("docs")->items;
  must(all->size() == docs.size(), "each document is answered");
  for (std::size_t i = 0; i < docs.size(); ++i) {
    auto const& one = all->at(i);
    must(!docs[i].find("error"), "a document that can't be read is not taken for one that isn't there");
    for (auto const& n : {one.number, one.term})
      must(one.found ? is_number(n) : n.empty(), "what goes into requests is a number");
    auto const place = d::upsert_place::of(one.place);
    must(!place || d::upsert_place::of(place->text())->text() == place->text(), "a place is read as it was written");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const text = text_of(data, size);
  if (auto const answer = d::json_reader{text}.read()) {
    look_into(*answer);
    for (auto const& one : answer->items) look_into(one);
  }

  // What was written of a record comes back.
  pieces in{text};
  auto const number = [&] { return static_cast<std::int64_t>(in.number()); };
  d::upsert_place place{.version = number(), .incarnation = number(), .offset = number(), .deleted = size % 2 == 1};
  place.partition = in.line();
  std::string answer = R"({"docs":[{"found":true,"_seq_no":7,"_primary_term":1,"_source":{"sluice":)";
  d::append_json_text(answer, place.text());
  answer += "}}]}";
  auto const read = d::json_reader{answer}.read();
  must(read.has_value(), "a document can be read");
  std::string trouble;
  auto const all = es::seen_in(*read, trouble);
  must(all && all->size() == 1 && all->at(0).number == "7" && trouble.empty(), "and is found");
  auto const back = d::upsert_place::of(all->at(0).place);
  must(back && !back->newer_than(place) && back->deleted == place.deleted, "and where its record stood");
  return 0;
}
