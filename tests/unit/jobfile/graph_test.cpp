#include <catch2/catch.hpp>

#include "jobfile/graph.hpp"
#include "unit/jobfile/fixture.hpp"

using namespace godwit;

TEST_CASE("a job's graph shows its stages in the order they can start") {
  const model::Job job = jobfile::parse(
      "job: trip\nstages:\n  rank: {uses: flights.rank, needs: [search, load]}\n  search: {uses: "
      "flight-search/1.search, foreach: \"${ {1} }\", limits: {amadeus: 2}}\n"
      "  load: {uses: core.http, retry: {attempts: 3}}\n",
      "f");
  CHECK(jobfile::graph_text(job) ==
        "trip\n"
        "  search    flight-search/1.search  (foreach, 32 at once, limit amadeus:2)\n"
        "  load      core.http               (up to 3 attempts)\n"
        "    rank    flights.rank            (after search, load)\n");
  CHECK(jobfile::graph_dot(job) ==
        "digraph \"trip\" {\n  rankdir=LR;\n  node [shape=box];\n"
        "  \"rank\" [label=\"rank\nflights.rank\"];\n  \"search\" -> \"rank\";\n  \"load\" -> \"rank\";\n"
        "  \"search\" [label=\"search\nflight-search/1.search\", peripheries=2];\n"
        "  \"load\" [label=\"load\ncore.http\"];\n}\n");
}
