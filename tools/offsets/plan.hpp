/// \file plan.hpp  Which positions are to become what: made, checked against the logs, and shown before anything is done.
#pragma once
#include "../common/brokers.hpp"
#include "store.hpp"

namespace offsets_tool {

/// From what is stored to what is wanted.
std::vector<change> planned(std::vector<sl::kept_position> const& stored, std::vector<sl::position> const& wanted);

/// A topic that the group has never claimed needs a start for each partition up to the last that is given: the others begin
/// at their earliest, which only brokers know. Throws failure where there are none.
void fill_gaps(std::vector<change>& plan, std::vector<sl::kept_position> const& stored, brokers* kafka,
               sl::time_point by);

/// Throws failure for an offset beyond the end of its log; one before its beginning is remarked on. `from`: who says so.
void check_ends(std::vector<change>& plan, std::string const& from, brokers& kafka, sl::time_point by);

std::string as_table(std::vector<change> const& plan);

/// Starts for topics that were never claimed: as planned, or the earliest.
class planned_starts final : public sl::start_resolver {
  std::vector<change> const& plan_;
  brokers* kafka_;

 public:
  planned_starts(std::vector<change> const& plan, brokers* kafka) : plan_(plan), kafka_(kafka) {}
  sl::topic_start start_of(std::string const& topic, sl::time_point by) override;
  sl::offset earliest(sl::topic_partition const& of, sl::time_point by) override;
};

}  // namespace offsets_tool
