/// \file output/sqlite.hpp  Outputs into SQLite that repetition and late writes can't harm: for the delivery `idempotent`.
#pragma once
#include <sluice/output/sqlite_insert.hpp>
#include <sluice/output/sqlite_upsert.hpp>
