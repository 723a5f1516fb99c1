#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "cli/parameters.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using namespace godwit::cli;
namespace json = base::json;

namespace {

json::object with(const std::vector<std::string>& assignments) {
  json::object params;
  for (const auto& assignment : assignments) set_parameter(params, assignment);
  return params;
}

base::ErrorKind kind_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const base::Error& error) {
    return error.kind();
  }
  FAIL("nothing was thrown");
  return base::ErrorKind::internal;
}

}  // namespace

TEST_CASE("A parameter is JSON when it reads as JSON, and text when not") {
  const auto params = with({"n=7", "x=1.5", "yes=true", "none=null", "list=[1,2]", "object={\"a\":1}", "word=LIS", "date=2026-12-24", "zip=007", "quoted=\"7\"",
                            "empty=", "equals=a=b"});
  CHECK(params.at("n") == 7);
  CHECK(params.at("x") == 1.5);
  CHECK(params.at("yes") == true);
  CHECK(params.at("none").is_null());
  CHECK(params.at("list").as_array().size() == 2);
  CHECK(params.at("object").at("a") == 1);
  CHECK(params.at("word") == "LIS");
  CHECK(params.at("date") == "2026-12-24");
  CHECK(params.at("zip") == "007");
  CHECK(params.at("quoted") == "7");
  CHECK(params.at("empty") == "");
  CHECK(params.at("equals") == "a=b");
}

TEST_CASE("Dots lead into objects, and a later value wins") {
  const auto params = with({"filters.max_stops=1", "filters.cabin=economy", "filters.price.most=100", "filters.max_stops=2"});
  CHECK(json::value(params) == json::value(json::object{{"filters", {{"max_stops", 2}, {"cabin", "economy"}, {"price", {{"most", 100}}}}}}));
}

TEST_CASE("What is no parameter is a wrong command line") {
  for (const auto* bad : {"", "=", "novalue", "=7", ".a=1", "a.=1", "a..b=1"}) {
    INFO(bad);
    CHECK(kind_of([&] { with({bad}); }) == base::ErrorKind::usage);
  }
  CHECK(kind_of([] { with({"a=1", "a.b=2"}); }) == base::ErrorKind::usage);
  CHECK(kind_of([] { with({"a=\xff"}); }) == base::ErrorKind::usage);
}

TEST_CASE("A parameter can come from a file") {
  support::TempDir dir;
  std::ofstream(dir / "list.json") << "[1,\n 2]\n";
  std::ofstream(dir / "note.txt") << "two\nlines\n";
  const auto params = with({"list=@" + (dir / "list.json").string(), "note=@" + (dir / "note.txt").string()});
  CHECK(params.at("list").as_array().size() == 2);
  CHECK(params.at("note") == "two\nlines\n");
  CHECK(kind_of([&] { with({"x=@" + (dir / "nothing").string()}); }) == base::ErrorKind::not_found);
}

TEST_CASE("A file that cannot be a job file is refused with its reason before it is read") {
  support::TempDir dir;
  CHECK(kind_of([&] { read_text((dir / "missing.yaml").string(), kJobFileMax); }) == base::ErrorKind::not_found);
  CHECK(kind_of([&] { read_text(dir.path().string(), kJobFileMax); }) == base::ErrorKind::refused);
  std::ofstream(dir / "large.yaml") << "x";
  std::filesystem::resize_file(dir / "large.yaml", 100u << 20);
  CHECK(kind_of([&] { read_text((dir / "large.yaml").string(), kJobFileMax); }) == base::ErrorKind::refused);
  std::ofstream(dir / "binary.yaml") << "a\xff\xfe";
  CHECK(kind_of([&] { read_text((dir / "binary.yaml").string(), kJobFileMax); }) == base::ErrorKind::refused);
  CHECK(kind_of([&] { read_text("/dev/zero", kJobFileMax); }) == base::ErrorKind::refused);
  std::ofstream(dir / "empty.yaml").flush();
  CHECK(read_text((dir / "empty.yaml").string(), kJobFileMax).empty());
}

TEST_CASE("A word is a file when it looks like one") {
  CHECK(names_file("flock.yaml"));
  CHECK(names_file("flock.yml"));
  CHECK(names_file("./flock"));
  CHECK_FALSE(names_file("flock"));
  CHECK_FALSE(names_file("yaml"));
}
