#include <catch2/catch.hpp>

#include "engine/backoff.hpp"

using namespace std::chrono_literals;
using godwit::engine::backoff;

TEST_CASE("pauses double up to the maximum") {
  const godwit::model::Retry retry{.attempts = 9, .backoff = 1s, .max = 10s, .factor = 2, .jitter = 0};
  CHECK(backoff(retry, 1, 0.5, {}) == 1s);
  CHECK(backoff(retry, 2, 0.5, {}) == 2s);
  CHECK(backoff(retry, 4, 0.5, {}) == 8s);
  CHECK(backoff(retry, 5, 0.5, {}) == 10s);
  CHECK(backoff(retry, 100000, 0.5, {}) == 10s);
}

TEST_CASE("jitter stays within its share") {
  const godwit::model::Retry retry{.attempts = 9, .backoff = 10s, .max = 10s, .factor = 2, .jitter = 0.2};
  CHECK(backoff(retry, 1, 0.0, {}) == 8s);
  CHECK(backoff(retry, 1, 0.5, {}) == 10s);
  CHECK(backoff(retry, 1, 0.999999, {}) < 12s);
}

TEST_CASE("a provider that asks for more time gets it") {
  const godwit::model::Retry retry{.attempts = 9, .backoff = 1s, .max = 2s, .factor = 2, .jitter = 0};
  CHECK(backoff(retry, 1, 0.5, 60s) == 60s);
  CHECK(backoff(retry, 1, 0.5, 1ms) == 1s);
}
