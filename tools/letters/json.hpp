/// \file json.hpp  Letters as lines of JSON: those that dead_letter_file wrote, and those that `show --json` prints.
#pragma once
#include "letter.hpp"

namespace letters_tool {

/// One line of dead_letter_file, without its line feed. What is wrong with it becomes its `damage`.
found letter_of_line(std::string const& line, std::string const& where);

/// The column `headers` of a table. Throws failure.
std::vector<own_header> headers_of_json(std::string const& text);

/// As dead_letter_file writes it, with `returned`, `where`, and the group where it is known.
std::string json_of(found const& f);

}  // namespace letters_tool
