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
        "  search  flight-search/1.search  (foreach, 32 at once, limit amadeus:2)\n"
        "  load    core.http               (up to 3 attempts)\n"
        "    rank  flights.rank            (after search, load)\n");
  CHECK(jobfile::graph_dot(job) ==
        "digraph \"trip\" {\n  rankdir=LR;\n  node [shape=box];\n"
        "  \"rank\" [label=\"rank\nflights.rank\"];\n  \"search\" -> \"rank\";\n  \"load\" -> \"rank\";\n"
        "  \"search\" [label=\"search\nflight-search/1.search\", peripheries=2];\n"
        "  \"load\" [label=\"load\ncore.http\"];\n}\n");
}

TEST_CASE("a job's graph shows the stages of each item, and what is done at the end") {
  const model::Job job = jobfile::parse(
      "job: index\non_failure:\n  tell: {uses: mail.send}\n  note: {needs: [tell], sleep: 1s}\nstages:\n"
      "  pages:\n    foreach: \"${ {1} }\"\n    stages:\n      fetch: {uses: x.y}\n      store: {uses: x.y}\n"
      "  last: {uses: x.y, needs: [pages]}\n",
      "f");
  CHECK(jobfile::graph_text(job) ==
        "index\n"
        "  pages       stages fetch, store  (foreach, 32 at once)\n"
        "    last      x.y                  (after pages)\n"
        "      tell    mail.send            (after last)  (on_failure)\n"
        "        note  sleep 1s             (after tell)  (on_failure)\n");
  CHECK_THAT(jobfile::graph_dot(job), Catch::Contains("\"last\" -> \"tell\"") &&
                                          Catch::Contains("\"tell\" [label=\"tell\nmail.send\", style=dashed]"));
  CHECK_THAT(jobfile::draw_graph(job, "svg"), Catch::Contains("fetch, store") && Catch::Contains("on_failure"));
  model::Job script;
  script.script.emplace();
  script.file = "x.lua";
  CHECK_THROWS_WITH(jobfile::draw_graph(script, "text"), Catch::Contains("a Lua job has no stages to draw"));
}

TEST_CASE("a job's picture is the same each time, escaped, and has what the job has") {
  const model::Job job = jobfile::parse(
      "job: trip\nstages:\n  a: {uses: x.y}\n  b: {uses: x.y, needs: a, foreach: \"${ {1} }\"}\n"
      "  c: {uses: x.y, needs: [a, b], when: \"${ 1 < 2 }\"}\n",
      "f");
  const std::string svg = jobfile::draw_graph(job, "svg");
  CHECK(svg == jobfile::draw_graph(job, "svg"));
  CHECK_THAT(svg, Catch::StartsWith("<svg ") && Catch::EndsWith("</svg>\n"));
  const auto count = [&](const std::string& what) {
    std::size_t found = 0;
    for (auto at = svg.find(what); at != std::string::npos; at = svg.find(what, at + 1)) ++found;
    return found;
  };
  CHECK(count("<title>") == 3);
  CHECK(count("class=\"arrow\"") == 2);    // a -> c is implied
  CHECK(count("class=\"box\"") == 1 + 3);  // b is drawn as a stack
  CHECK(count("class=\"box maybe\"") == 1);
  CHECK_THROWS_WITH(jobfile::draw_graph(job, "sgv"), Catch::Contains("did you mean 'svg'?"));
}
