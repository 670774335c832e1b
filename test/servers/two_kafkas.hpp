/// \file two_kafkas.hpp  One script on a simulated Kafka and on a real one; what clients see of both is written down, and compared.
#pragma once
#include "catch.hpp"
#include "servers/two_kafkas/real_world.hpp"
#include "servers/two_kafkas/simulated_world.hpp"

namespace two_kafkas {

template <class Play>
seen on_the_simulated_one(Play play, std::uint64_t seed, bool cooperative) {
  seen all;
  st::simulation world{st::promise::at_least_once, [&](st::process& p) {
                         simulated_world w{p, all};
                         play(script<simulated_world>{w});
                         p.broken("done", "");
                       }};
  world.heals_within = 100'000s;
  auto const r = world.run({.seed = seed,
                            .processes = 1,
                            .records = 0,
                            .most_faults = 0,
                            .cooperative = cooperative,
                            .most_points = 1'000'000});
  CHECK(r.broken == "done");
  CHECK(r.sentence == "");
  return all;
}

/// `play` is called with a script of each; the simulated one is tried with several seeds.
template <class Play>
void compare(Play play, bool cooperative = false, real_kafka& kafka = real_kafka::shared()) {
  auto const simulated = on_the_simulated_one(play, 1, cooperative);
  for (std::uint64_t seed = 2; seed <= 20; ++seed) CHECK(on_the_simulated_one(play, seed, cooperative) == simulated);
  real_world real{kafka, cooperative};
  play(script<real_world>{real});
  CHECK(simulated == real.all);
}

}  // namespace two_kafkas
