# cmake -DTRUTH=truth.txt -DINTO=FOLDER [-DALL=ON] -P generate.cmake: legal_N.cpp and illegal_N.cpp, at most 400
# combinations each, with one expected sentence for each line of the latter in illegal_N.txt.
#
# All 8,960 combinations take minutes to compile. No rule looks at a rate and a store together, so without ALL the rates
# take turns: each comes with every value of every other axis.
cmake_minimum_required(VERSION 3.25...3.31)
include("${CMAKE_CURRENT_LIST_DIR}/truth.cmake")

set(head [[
#include <sluice/legality.hpp>

#include <sluice/offset_store/checkpoint.hpp>
#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/hbase.hpp>
#include <sluice/offset_store/kafka.hpp>
#include <sluice/offset_store/mysql.hpp>
#include <sluice/offset_store/periodic_kafka.hpp>
#include <sluice/offset_store/postgres.hpp>
#include <sluice/offset_store/redis.hpp>
#include <sluice/offset_store/s3.hpp>
#include <sluice/offset_store/sqlite.hpp>
#include <sluice/offset_store/webhdfs.hpp>
#include <sluice/offset_store/zookeeper.hpp>
#include <sluice/on_failure/dead_letter_file.hpp>
#include <sluice/on_failure/dead_letter_topic.hpp>
#include <sluice/rate_limit/max_rate_per_partition.hpp>
#include <sluice/rate_limit/pid_backpressure.hpp>
#include <sluice/rate_limit/shed_load.hpp>
#include <sluice/source/socket.hpp>
#include <sluice/source/write_ahead_log.hpp>
namespace sl = sluice;
template <class Slots, class Rule>
struct speak : Rule::template demand<Slots, false> {};
template <class Slots>
struct speak<Slots, sl::detail::no_rule_broken> {};
template <class... Ps>
struct consumer {
  speak<sl::slots_of<Ps...>, sl::rules::first_broken<Ps...>> refusal;
};
]])
set(legal "")
set(illegal "")
set(sentences "")
foreach(kind legal illegal)
  set(${kind}_count 0)
  set(${kind}_files 0)
endforeach()
macro(write_out kind)
  math(EXPR ${kind}_files "${${kind}_files} + 1")
  file(CONFIGURE OUTPUT "${INTO}/${kind}_${${kind}_files}.cpp" CONTENT "@head@@${kind}@" @ONLY)
  if("${kind}" STREQUAL "illegal")
    file(CONFIGURE OUTPUT "${INTO}/illegal_${illegal_files}.txt" CONTENT "@sentences@" @ONLY)
    set(sentences "")
  endif()
  set(${kind} "")
  set(${kind}_count 0)
endmacro()

list(LENGTH names_rate number_of_rates)
set(turn 0)
foreach(delivery IN LISTS names_delivery)
  foreach(store IN LISTS names_store)
    foreach(source IN LISTS names_source)
      math(EXPR turn "${turn} + 1")
      foreach(on_failure IN LISTS names_on_failure)
        math(EXPR turn "(${turn} + 1) % ${number_of_rates}")
        list(GET names_rate ${turn} rates)
        if(ALL)
          set(rates ${names_rate})
        endif()
        foreach(rate IN LISTS rates)
          broken_by(broken ${delivery} ${store} ${source} ${rate} ${on_failure})
          set(kind legal)
          set(line "static_assert(sl::legal<")
          set(end ">);")
          if(broken)
            set(kind illegal)
            set(line "template struct consumer<")
            set(end ">;")
            set(used_${broken} TRUE)
            string(APPEND sentences "${row_${broken}_sentence}\n")
          endif()
          foreach(axis IN LISTS axes)
            string(APPEND line "${type_${axis}_${${axis}}}, ")
          endforeach()
          string(REGEX REPLACE ", $" "${end}\n" line "${line}")
          string(APPEND ${kind} "${line}")
          math(EXPR ${kind}_count "${${kind}_count} + 1")
          if(${kind}_count EQUAL 400)
            write_out(${kind})
          endif()
        endforeach()
      endforeach()
    endforeach()
  endforeach()
endforeach()
foreach(kind legal illegal)
  if(${kind}_count GREATER 0)
    write_out(${kind})
  endif()
endforeach()
foreach(row RANGE 1 ${rows})
  if(NOT used_${row})
    message(FATAL_ERROR "${TRUTH}: no combination is refused with `${row_${row}_sentence}`: a row above says it all")
  endif()
endforeach()
