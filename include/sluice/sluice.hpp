/// \file sluice.hpp  Everything that needs librdkafka only, in the order that data flows.
///
/// Stores with a client library of their own have their own headers: <sluice/offset_store/sqlite.hpp>.
#pragma once
#include <sluice/version.hpp>

#include <sluice/legality.hpp>
#include <sluice/policy.hpp>

#include <sluice/source/kafka.hpp>

#include <sluice/rate_limit/max_rate_per_partition.hpp>
#include <sluice/rate_limit/pid_backpressure.hpp>
#include <sluice/rate_limit/shed_load.hpp>
#include <sluice/rate_limit/unlimited.hpp>

#include <sluice/offset_store/kafka.hpp>
#include <sluice/offset_store/none.hpp>
#include <sluice/offset_store/periodic_kafka.hpp>

#include <sluice/stream_consumer.hpp>
