// The one main() of all test programs. A test that makes random choices prints its seed itself; the order of tests is
// Catch2's own seed.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
