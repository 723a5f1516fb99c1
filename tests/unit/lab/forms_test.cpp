// Goal: every shipped job does the same in YAML and in Lua, whatever crashes. Method: each is converted, and both forms
// go through its tests, with the crash sweep and their journals held against each other.
#include <catch2/catch.hpp>

#include <filesystem>

#include "fixture.hpp"
#include "jobfile/lua_writer.hpp"
#include "lab/test_reader.hpp"

using namespace godwit;
namespace fs = std::filesystem;

TEST_CASE("each shipped job has equal journals in YAML and in Lua, and both come through every crash") {
  const support::TempDir dir;
  int tests = 0;
  for (const char* folder : {"examples", "flights"})
    for (const auto& entry : fs::directory_iterator(fs::path(GODWIT_SOURCE_DIR) / "scripts" / folder)) {
      const auto to = dir / entry.path().filename().string();
      if (entry.is_regular_file()) fs::copy_file(entry.path(), to, fs::copy_options::overwrite_existing);
    }
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    const auto path = entry.path();
    if (path.extension() != ".yaml" || path.stem().extension() == ".test") continue;
    std::ofstream(fs::path(path).replace_extension(".lua")) << jobfile::to_lua(lab::read_file(path), path.string());
  }
  lab::Bench bench("job: a\nstages: {one: {uses: a.b}}\n", "");
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    if (!entry.path().string().ends_with(".test.yaml")) continue;
    int forms = 0;
    for (const auto& result : bench.run({.crash_sweep = true}, entry.path())) {
      INFO(result.job << ": " << result.test);
      CHECK(result.problems == std::vector<std::string>());
      forms += result.job.ends_with(".lua") ? 1 : 0;
      ++tests;
    }
    INFO(entry.path());
    CHECK(forms > 0);
  }
  CHECK(tests >= 60);
}

namespace {

constexpr auto kGiven = R"(
job: given
params: {numbers: {type: array}, tags: {type: array, default: []}}
stages:
  many:
    foreach: ${ params.numbers }
    uses: a.one
    with: {n: "${ item }"}
    output: {n: "${ item }", of: "${ output.n }", tags: "${ params.tags }"}
  sum:
    needs: [many]
    uses: a.sum
    emit: {to: rows, rows: {first: "${ params.numbers[1] }", tags: "${ params.tags }", count: "${ stages.many.count }"}}
    output: {count: "${ stages.many.count + output.exit_code }", one: "${ stages['many'].items[2].output.n }"}
result: ${ {sum = stages.sum, last = stages.many.items[#stages.many.items].output} }
)";

}  // namespace

TEST_CASE("what an output and rows read reaches them unchanged in both forms, beside however much") {
  std::string numbers = "1234567890.123456, 0.1";
  for (int i = 3; i <= 1000; ++i) numbers += ", " + std::to_string(i) + ".0";
  lab::Bench bench(kGiven, "");
  bench.write("x.lua", jobfile::to_lua(kGiven, "x.yaml"));
  bench.write("x.test.yaml", R"(
mocks: {a.one: {output: {n: "${ input.n }"}}, a.sum: {output: {exit_code: 0}}}
tests:
  exact:
    params: {numbers: [)" + numbers + R"(]}
    expect:
      result: {sum: {count: 1000, one: 0.1}, last: {n: 1000.0, of: 1000.0, tags: []}}
      steps: {"many[0]": {output: {n: 1234567890.123456, of: 1234567890.123456, tags: []}}}
      emitted: {rows: [{first: 1234567890.123456, tags: [], count: 1000}]}
)");
  const auto results = bench.run();
  CHECK(results.size() == 2);
  for (const auto& result : results) {
    INFO(result.job);
    CHECK(result.problems == std::vector<std::string>());
  }
}

TEST_CASE("what is put into a text, and what is nothing, is in Lua what it is in YAML") {
  constexpr auto kSaid = R"(
job: said
params: {o: {type: object}, list: {type: array}, none: {type: string, optional: true}}
stages:
  never: {when: "${ params.o.a == 2 }", uses: a.say}
  say:
    needs: [never]
    uses: a.say
    with:
      text: "${ params.o } ${ params.list } ${ params.o.z } ${ params.none } ${ stages.never } ${ params.o.f } ${ params.o.t } ${ params.o.s }"
      list: ["${ stages.never }", "${ params.none }", "${ params.o.t == false }"]
      deep: {none: "${ params.none }", never: "${ stages.never }"}
result: {b: "${ stages.never }", text: "never: ${ stages.never }", none: "${ params.none }", said: "${ stages.say }"}
)";
  lab::Bench bench(kSaid, R"(
mocks: {a.say: {output: "${ input }"}}
tests:
  same:
    params: {o: {a: 1, f: 2.0, s: x, t: true, z: null}, list: [1, [], {b: [null]}]}
    expect:
      result:
        b: null
        text: "never: null"
        none: null
        said:
          text: '{"a":1,"f":2.0,"s":"x","t":true,"z":null} [1,[],{"b":[null]}] null null null 2.0 true x'
          list: [null, null, false]
          deep: {none: null, never: null}
)");
  bench.write("x.lua", jobfile::to_lua(kSaid, "x.yaml"));
  const auto results = bench.run();
  CHECK(results.size() == 2);
  for (const auto& result : results) {
    INFO(result.job);
    CHECK(result.problems == std::vector<std::string>());
  }
}
