/// \file detail/own_folder.hpp  A folder that one process has for itself: made where it is not there, and locked.
#pragma once
#include <sluice/detail/made_folders.hpp>
#include <sluice/detail/network_file_system.hpp>

namespace sluice { inline namespace v0 { namespace detail {

template <class Files>
class own_folder {
  typename Files::handle folder_{}, lock_{};

 public:
  typename Files::handle const& handle() const { return folder_; }

  /// `setting` names it in errors. Its parent must be there. Slashes at the end of `path` go. Throws error
  /// (bad_configuration), or store_error(store_unavailable) where another process has it.
  void open(Files& files, std::string& path, std::string const& setting) {
    if (path.empty()) throw error(errc::bad_configuration, setting + " is empty; name a folder for it alone");
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    auto const slash = path.rfind('/');
    auto const within = slash == path.npos ? std::string{"."} : path.substr(0, slash + 1);
    auto const name = path.substr(slash == path.npos ? 0 : slash + 1);
    typename Files::handle parent;
    int e = files.open_directory(path, folder_);
    bool const made = e == ENOENT;
    if (made) {
      e = files.open_directory(within, parent);
      if (!e) e = files.make_directory(parent, name);
      if (!e || e == EEXIST) e = files.open_directory(parent, name, folder_);
    }
    if (e)
      throw error(errc::bad_configuration, setting + ": can't open the folder '" + path + "' (" + errno_text(e) +
                                               "); name one that may be written to, in one that is there");
    if constexpr (std::is_same_v<Files, posix_files>)
      if (auto const network = network_file_system(path); !network.empty())
        throw error(errc::bad_configuration,
                    setting + ": '" + path + "' lies on " + network +
                        ", where locks and syncs can't be relied on; name a folder on a local disk");
    e = files.open_to_write(folder_, "lock", lock_);
    if (e == ENOENT) {  // new, and whoever made it may not have come to sync its name
      e = files.open_directory(within, parent);
      if (!e) e = files.sync(parent);
      bool const not_ours = !made && (e == EACCES || e == EINVAL || e == EROFS);  // as where another disk begins
      if (e && !not_ours) throw_file_error(e, "sync the folder's name", within);
      e = files.create(folder_, "lock", lock_);
      if (e == EEXIST) e = files.open_to_write(folder_, "lock", lock_);
    }
    if (e) throw_file_error(e, "open the file lock", path);
    if (!files.lock(lock_))
      throw store_error(errc::store_unavailable,
                        setting + ": " + path + " is in use by another consumer; give each a folder of its own");
  }
};

}}}  // namespace sluice::v0::detail
