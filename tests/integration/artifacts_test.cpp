// Goal: files that steps make and their large outputs can be had for as long as a run has them, and no longer. Method: the
// real daemon and command line; it is killed where something could get lost.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/daemon_process.hpp"

using namespace godwit;
using support::DaemonProcess;
namespace fs = std::filesystem;
namespace json = base::json;

namespace {

std::int64_t submit(DaemonProcess& daemon, const std::string& file, const std::string& text, json::object params = {}) {
  return daemon.call("run.submit", {{"file", file}, {"text", text}, {"params", std::move(params)}})
      .at("run")
      .to_number<std::int64_t>();
}

json::object run(DaemonProcess& daemon, const std::string& name, const std::string& with, const std::string& more = {}) {
  return daemon.wait_for_end(submit(daemon, name + ".yaml",
                                    "job: " + name + "\n" + more + "stages:\n  s: {uses: reach, retry_safe: true, with: " +
                                        with + "}\n"));
}

std::string store(DaemonProcess& daemon, const std::string& name, const std::string& more = {}) {
  const auto end = run(daemon, name, "{do: store, name: x, text: " + name + "}", more);
  INFO(json::serialize(end));
  REQUIRE(end.at("state") == "succeeded");
  return std::string(end.at("result").at("artifact").as_string());
}

fs::path file_of(DaemonProcess& daemon, const std::string& artifact) {
  const std::string sha256 = artifact.substr(artifact.find(':') + 1);
  for (const auto& entry : fs::recursive_directory_iterator(daemon.dir().path(), fs::directory_options::skip_permission_denied))
    if (entry.path().filename() == sha256) return entry.path();
  return {};
}

void make_old(const fs::path& file) {
  fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(48));
}

}  // namespace

TEST_CASE("a file that a step made is listed, and given back as it was") {
  DaemonProcess daemon;
  daemon.start();
  const auto end = run(daemon, "a", "{do: store, name: words.txt, text: 'some words'}");
  INFO(json::serialize(end));
  REQUIRE(end.at("state") == "succeeded");
  const std::string name(end.at("result").at("artifact").as_string());
  const auto list = daemon.cli({"artifact", "list"});
  CHECK_THAT(list.out, Catch::Contains("words.txt") && Catch::Contains(name) && Catch::Contains("text/plain"));
  CHECK(daemon.cli({"artifact", "get", name}).out == "some words");
  const std::string file = (daemon.dir() / "copy").string();
  CHECK(daemon.cli({"artifact", "get", name, "-o", file}).exit_code == 0);
  std::ifstream copy(file);
  CHECK(std::string((std::istreambuf_iterator<char>(copy)), {}) == "some words");
  CHECK(daemon.query("select name || ' ' || size from godwit.artifacts") == std::vector<std::string>{"words.txt 10"});
  CHECK(daemon.cli({"artifact", "get", "sha256:" + std::string(64, '0')}).exit_code == 3);
  CHECK(daemon.cli({"artifact", "get", "words.txt"}).exit_code == 6);
}

TEST_CASE("an output of more than 256 KiB is an artifact to look at and a value to work with, before and after a crash") {
  const support::TempDir dir;
  const std::string go = (dir / "go").string();
  std::ofstream(dir / "big_lua.lua") << "local gw = require 'godwit'\n"
                                        "return gw.job { name = 'big_lua', params = {words = 'string'}, run = function(p)\n"
                                        "  local big = gw.call('noop', {words = p.words})\n"
                                        "  gw.call('hold', {file = '"
                                     << go << "'}, {retry_safe = true})\n  return #big.words\nend }\n";
  DaemonProcess daemon(support::DaemonOptions{.job_dirs = {dir.path().string()}});
  daemon.start();
  const std::string words(400'000, 'w');
  const auto yaml = submit(daemon, "big.yaml",
                           "job: big\nparams: {words: string}\nstages:\n"
                           "  big: {uses: noop, with: {words: '${ params.words }'}}\n"
                           "  hold: {needs: [big], uses: hold, retry_safe: true, with: {file: '" + go + "'}}\n"
                           "  count: {needs: [hold], uses: noop, with: {n: '${ #stages.big.words }'}}\n"
                           "result: ${ stages.count.n }\n",
                           {{"words", words}});
  const auto lua = daemon.call("run.submit", {{"job", "big_lua"}, {"params", json::object{{"words", words}}}})
                       .at("run")
                       .to_number<std::int64_t>();
  const auto big_steps = [&] {
    return daemon.query("select count(*) from godwit.steps where length(output::text) > 262144").at(0);
  };
  for (int i = 0; i < 10'000 && big_steps() != "2"; ++i) ::usleep(2000);
  daemon.kill();
  daemon.start();
  std::ofstream(go) << "!";
  CHECK(daemon.wait_for_end(yaml).at("result") == 400'000);
  CHECK(daemon.wait_for_end(lua).at("result") == 400'000);

  const std::string output = json::serialize(json::object{{"words", words}});
  const auto list = daemon.call("artifact.list", {{"run", yaml}}).as_array();
  REQUIRE(list.size() == 1);
  CHECK(list[0].at("size") == output.size());
  CHECK(list[0].at("path") == "big");
  const std::string name(list[0].at("artifact").as_string());
  CHECK(daemon.cli({"artifact", "get", name}).out == output);
  const auto read = submit(daemon, "read.yaml",
                           "job: read\nparams: {name: string}\nstages:\n"
                           "  get: {uses: artifact.get, with: {artifact: '${ params.name }', as: json}}\n"
                           "result: '${ #stages.get.json.words + stages.get.size }'\n",
                           {{"name", name}});
  CHECK(daemon.wait_for_end(read).at("result") == 400'000 + output.size());
  const auto shown = daemon.cli({"show", std::to_string(yaml), "--output"});
  CHECK_THAT(shown.out, Catch::Contains("godwit artifact get " + name));
  CHECK(shown.out.size() < words.size() + 10'000);  // the parameters are shown whole
  // What is exported stands alone.
  CHECK(daemon.cli({"run", "export", std::to_string(yaml)}).out.find(words) != std::string::npos);
  // A retry that keeps the step has its output and lists it as its own.
  const auto again = daemon.call("run.retry", {{"run", yaml}, {"from", "count"}}).at("run").to_number<std::int64_t>();
  CHECK(daemon.wait_for_end(again).at("result") == 400'000);
  CHECK(daemon.call("artifact.list", {{"run", again}}).as_array().size() == 1);
}

TEST_CASE("files go a day after the last run that has them, and never before") {
  DaemonProcess daemon;
  daemon.start();
  const std::string kept = store(daemon, "kept");
  const std::string shared = store(daemon, "shared", "retain: 1s\n");
  CHECK(store(daemon, "shared", "labels: {n: '2'}\n") == shared);
  const std::string gone = store(daemon, "gone", "retain: 1s\n");
  const std::string fresh = store(daemon, "fresh", "retain: 1s\n");
  // What a crash left between the file and its record.
  const fs::path orphan = file_of(daemon, kept).parent_path().parent_path() / "ee" / std::string(64, 'e');
  fs::create_directories(orphan.parent_path());
  std::ofstream(orphan) << "nobody's";
  for (const auto& file : {file_of(daemon, kept), file_of(daemon, shared), file_of(daemon, gone), orphan}) make_old(file);
  ::usleep(1'100'000);
  daemon.kill();
  daemon.start();
  for (int i = 0; i < 10'000 && (!file_of(daemon, gone).empty() || fs::exists(orphan)); ++i) ::usleep(2000);
  CHECK(file_of(daemon, gone).empty());
  CHECK_FALSE(fs::exists(orphan));
  CHECK(daemon.cli({"artifact", "get", kept}).out == "kept");
  CHECK(daemon.cli({"artifact", "get", shared}).out == "shared");
  CHECK(daemon.cli({"artifact", "get", gone}).exit_code == 3);
  CHECK_FALSE(file_of(daemon, fresh).empty());
}
