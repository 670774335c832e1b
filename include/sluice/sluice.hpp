/// \file sluice.hpp  Everything that needs librdkafka only, in the order that data flows.
///
/// Stores and outputs with a client library of their own have their own headers: <sluice/offset_store/sqlite.hpp>,
/// <sluice/output/sqlite.hpp>. So does testing/.
#pragma once
#include <sluice/version.hpp>

#include <sluice/legality.hpp>
#include <sluice/policy.hpp>

#include <sluice/source/kafka.hpp>
#include <sluice/source/kafka_text.hpp>

#include <sluice/rate_limit/max_rate_per_partition.hpp>
#include <sluice/rate_limit/pid_backpressure.hpp>
#include <sluice/rate_limit/shed_load.hpp>
#include <sluice/rate_limit/unlimited.hpp>

#include <sluice/delivery/each.hpp>
#include <sluice/delivery/parallel.hpp>

#include <sluice/on_failure/dead_letter_file.hpp>
#include <sluice/on_failure/dead_letter_topic.hpp>

#include <sluice/offset_store/file.hpp>
#include <sluice/offset_store/kafka.hpp>
#include <sluice/offset_store/none.hpp>
#include <sluice/offset_store/periodic_kafka.hpp>

#include <sluice/output/all_of.hpp>
#include <sluice/output/files.hpp>
#include <sluice/output/kafka.hpp>
#include <sluice/output/objects.hpp>
#include <sluice/output/print.hpp>

#include <sluice/observer.hpp>
#include <sluice/stop_on_signal.hpp>
#include <sluice/stream_consumer.hpp>
