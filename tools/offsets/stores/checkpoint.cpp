// checkpoint:FOLDER
#include <sluice/offset_store/checkpoint_read.hpp>

#include "../own_store.hpp"

namespace offsets_tool { namespace {

std::unique_ptr<store> open(store_words const& w) { return make_own(w, sl::checkpoint{.directory = w.place}); }

registered const mine{{.word = "checkpoint",
                       .form = "checkpoint:FOLDER",
                       .help = "a folder of numbered files and segments",
                       .takes = {},
                       .open = open}};

}}  // namespace offsets_tool
