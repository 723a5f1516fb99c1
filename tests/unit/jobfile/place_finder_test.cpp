// Goal: a problem that is found long after the job was read names its line and column. Method: one file, many paths.
#include <catch2/catch.hpp>

#include "jobfile/place_finder.hpp"

using namespace godwit;

TEST_CASE("a path is found where it stands, or where its innermost part does") {
  const config::YamlDocument document(
      "job: x\n"
      "stages:\n"
      "  one:\n"
      "    uses: u.m\n"
      "    with:\n"
      "      argv: [echo, 1]\n"
      "      a.b: {c: 2}\n"
      "      empty:\n",
      "job.yaml");
  const auto [path, place] = GENERATE(table<std::string, std::string>({
      {"stages.one.with.argv[1]", "job.yaml:6:20 (stages.one.with.argv[1])"},
      {"stages.one.with.argv[9]", "job.yaml:6:13 (stages.one.with.argv[9])"},
      {"stages.one.with.a.b.c", "job.yaml:7:16 (stages.one.with.a.b.c)"},
      {"stages.one.with.empty", "job.yaml:8:7 (stages.one.with.empty)"},
      {"stages.one.uses", "job.yaml:4:11 (stages.one.uses)"},
      {"stages.one.uses.deeper[2]", "job.yaml:4:11 (stages.one.uses.deeper[2])"},
      {"stages.one.limits.api", "job.yaml:4:5 (stages.one.limits.api)"},
  }));
  CAPTURE(path);
  CHECK(jobfile::find_place(document, path).text() == place);
}
