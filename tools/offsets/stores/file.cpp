// file:FOLDER
#include <sluice/offset_store/file_read.hpp>

#include "../own_store.hpp"

namespace offsets_tool { namespace {

std::unique_ptr<store> open(store_words const& w) { return make_own(w, sl::file_offsets{.directory = w.place}); }

registered const mine{
    {.word = "file", .form = "file:FOLDER", .help = "a folder of numbered files", .takes = {}, .open = open}};

}}  // namespace offsets_tool
