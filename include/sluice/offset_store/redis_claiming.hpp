/// \file offset_store/redis_claiming.hpp  A claim in Redis: what must be asked of the source first, and the script's answer.
#pragma once
#include <sluice/offset_store/redis_positions.hpp>

namespace sluice { inline namespace v0 { namespace detail::redis {

/// Starts are asked for only where the script says that they are missing: most claims are one round trip, the first two.
class claiming {
  struct topic {
    std::string name{};
    std::vector<std::size_t> claims{};  // which of the set
    std::optional<std::vector<offset>> starts{};
    std::map<std::int32_t, offset> earliest{};
    std::int32_t needed = 0;  // partitions
  };
  std::vector<topic_partition> const& set_;
  std::vector<topic> topics_{};

 public:
  explicit claiming(std::vector<topic_partition> const& set) : set_(set) {
    for (std::size_t i = 0; i < set.size(); ++i) {
      auto& t = of(set[i].topic);
      t.claims.push_back(i);
      t.needed = std::max(t.needed, set[i].partition + 1);
    }
  }

  script_call call(key_names const& names) const {
    script_call c{claim_script};
    c.number(wall_ms());
    for (auto const& t : topics_) {
      c.key(names.topic(t.name));
      if (t.starts)
        c.number(t.starts->size());
      else
        c.text("-");
      if (t.starts)
        for (auto const start : *t.starts) c.number(start.value());
      c.number(t.earliest.size());
      for (auto const& [p, at] : t.earliest) c.number(p).number(at.value());
      c.number(t.claims.size());
      for (auto const i : t.claims) c.number(set_[i].partition).number(random_64());
    }
    return c;
  }

  /// The answer, or false: what was missing has been asked for, call again.
  bool take(script_answer const& answer, std::vector<claimed>& into, start_resolver& resolve, time_point by) {
    if (answer.kind() == "ask") {
      for (std::size_t k = 0; k < topics_.size(); ++k) ask(topics_[k], answer.word(k + 1), resolve, by);
      return false;
    }
    std::size_t at = 1;
    for (auto const& t : topics_)
      for (auto const i : t.claims) {
        auto& c = into[i];
        auto const what = answer.word(at++);
        if (!read_words(answer.word(at++), c)) answer.unreadable(c.of);
        c.what = what == "missing" ? claimed::missing
                 : what == "added" ? claimed::added
                 : what == "first" ? claimed::first
                                   : claimed::stored;
      }
    return true;
  }

 private:
  topic& of(std::string const& name) {
    for (auto& t : topics_)
      if (t.name == name) return t;
    return topics_.emplace_back(topic{.name = name});
  }
  static void ask(topic& t, std::string_view known, start_resolver& resolve, time_point by) {
    auto n = number_in<std::int32_t>(known);
    if (!n) {
      if (!t.starts) t.starts = resolve.start_of(t.name, by).starts;
      n = static_cast<std::int32_t>(t.starts->size());
    }
    for (auto p = *n; p < t.needed; ++p)
      if (!t.earliest.contains(p)) t.earliest[p] = resolve.earliest({t.name, p}, by);
  }
};

}}}  // namespace sluice::v0::detail::redis
