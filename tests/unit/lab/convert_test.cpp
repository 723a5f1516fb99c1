// Goal: a YAML job becomes a script that says the same of itself. Method: all shipped jobs are converted and loaded;
// one is looked at as text.
#include <catch2/catch.hpp>

#include <filesystem>
#include <map>
#include <set>

#include "jobfile/job_parser.hpp"
#include "jobfile/lua_writer.hpp"
#include "lab/test_reader.hpp"
#include "script/execution.hpp"

using namespace godwit;
namespace fs = std::filesystem;

TEST_CASE("every shipped job becomes a script that loads, under its name") {
  int jobs = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(GODWIT_SOURCE_DIR) / "scripts")) {
    if (entry.path().extension() != ".yaml" || entry.path().stem().extension() == ".test") continue;
    const std::string yaml = lab::read_file(entry.path());
    const std::string lua = jobfile::to_lua(yaml, entry.path().string());
    INFO(lua);
    const model::ScriptBundle bundle{.file = "job.lua", .text = lua, .modules = {}, .header = {}};
    const auto header = script::Execution(bundle, {}).header();
    CHECK(header.at("name").as_string() == jobfile::parse(yaml, "").name);
    ++jobs;
  }
  CHECK(jobs >= 17);
}

TEST_CASE("stages become calls, comments stay, what does not wait goes side by side") {
  const std::string lua = jobfile::to_lua(R"(# Says hello.
# And good bye.
job: hello
params: {name: string}
timeout: 1h            # more than enough
stages:
  # To the world
  world: {uses: mail.send, with: {text: "hello ${ params.name }", end: [1, null]}}
  moon: {uses: mail.send, when: "${ params.name == 'moon' }"}
  sum:
    needs: [world, moon]    # both
    foreach: ${ range(1, 3) }
    uses: math.add
    with: {n: "${ item }", i: "${ index }"}
    output: {n: "${ output.n }", of: "item ${ item }"}
)",
                                          "hello.yaml");
  CHECK(lua == R"(-- Says hello.
-- And good bye.
local gw = require "godwit"

-- A value as a longer text of YAML has it.
local function as_text(value)
  if value == nil then return "null" end
  return (value == gw.null or type(value) == "table") and json(value) or tostring(value)
end

-- The same where every item must succeed.
local function succeeded(list, outputs)
  local items = gw.array {}
  for index, item in ipairs(list) do
    items[index] = {item = item, index = index - 1, state = "succeeded", output = outputs[index], error = gw.null}
  end
  return {count = #items, succeeded = #items, failed = 0, items = items}
end

-- A value as the text of an expression, to the last digit; with `read` only those of its members.
local function literal(value, read)
  if value == gw.null then return "null" end
  if type(value) ~= "table" then return string.format("%q", value) end
  local members = {}
  for key in pairs(type(read) == "table" and read or value) do
    members[#members + 1] = "[" .. literal(key) .. "] = " .. literal(value[key], type(read) == "table" and read[key])
  end
  if #members == 0 and json(value) == "[]" then return "array {}" end
  return "{" .. table.concat(members, ", ") .. "}"
end

return gw.job {
  name = "hello",
  params = {name = "string"},
  -- more than enough
  timeout = "1h",
  run = function(params)
    local stages = {}
    gw.all("together", {
      world = function()
        -- To the world
        stages.world = gw.call("mail.send", {text = "hello " .. as_text(params.name), ["end"] = {1, gw.null}})
      end,
      moon = function()
        if params.name == 'moon' then
          stages.moon = gw.call("mail.send")
        end
      end,
    })
    -- both
    local sum_list = range(1, 3)
    stages.sum = succeeded(sum_list, gw.each("sum", sum_list, {parallel = 32}, function(item, index)
      index = index - 1
      return gw.call("math.add", {n = item, i = index}, {output = {n = "${ output.n }", of = "item ${ (function(item) return item end)(" .. literal(item) .. ") }"}})
    end))
    return stages.sum
  end,
}
)");
}

namespace {

// The keys of a schema, "stages.foreach.grow", those below names of the job's own (`*` in the schema) included.
void collect_keys(const base::json::value& schema, const std::string& path, std::set<std::string>& keys,
                  int depth = 0) {
  const auto* object = schema.if_object();
  if (!object || depth > 5) return;
  for (const char* several : {"anyOf", "oneOf", "allOf"})
    if (const auto* list = object->if_contains(several); list && list->is_array())
      for (const auto& one : list->get_array()) collect_keys(one, path, keys, depth);
  if (const auto* each = object->if_contains("additionalProperties")) collect_keys(*each, path, keys, depth + 1);
  if (const auto* each = object->if_contains("items")) collect_keys(*each, path, keys, depth + 1);
  const auto* properties = object->if_contains("properties");
  if (!properties || !properties->is_object()) return;
  for (const auto& [name, value] : properties->get_object()) {
    const std::string here = path.empty() ? std::string(name) : path + "." + std::string(name);
    keys.insert(here);
    // The stages of items are stages, and the stages of an end too.
    if (here != "stages.stages" && !here.starts_with("on_")) collect_keys(value, here, keys, depth + 1);
  }
}

// A stage of each kind that the keys need.
std::string stage(const std::string& keys) {
  return "job: j\nparams: {p: {type: array, default: []}}\nlimits: {net: 4}\nstages:\n  one: {" + keys + "}\n";
}
std::string call(const std::string& keys) {
  return stage("uses: shell.run, with: {argv: [a]}" + (keys.empty() ? "" : ", " + keys));
}
std::string each(const std::string& keys) {
  return stage("foreach: \"${ params.p }\", uses: shell.run, with: {argv: [a]}" + (keys.empty() ? "" : ", " + keys));
}
std::string top(const std::string& keys) {
  return "job: j\n" + keys + "stages: {one: {uses: shell.run, with: {argv: [a]}}}\n";
}

// A job with the key, and the same without it.
struct Sample {
  std::string with;
  std::string without;
};

}  // namespace

TEST_CASE("each key of the format changes the script, or is refused with its name: none is passed over") {
  const std::string grow = "foreach: {items: \"${ params.p }\", grow: \"${ output.found }\"";
  const std::string rest = "}, uses: shell.run, with: {argv: [a]}";
  const std::map<std::string, Sample> samples{
      {"job", {top(""), "job: k\nstages: {one: {uses: shell.run, with: {argv: [a]}}}\n"}},
      {"description", {top("description: what it is\n"), top("")}},
      {"types", {top("types: {t: {type: string}}\n"), top("")}},
      {"params", {top("params: {a: string}\n"), top("")}},
      {"checks", {top("checks: [\"${ 1 > 0 }\"]\n"), top("")}},
      {"timeout", {top("timeout: 2h\n"), top("")}},
      {"limits", {top("limits: {a: 2}\n"), top("")}},
      {"schedule", {top("schedule: {every: 1h}\n"), top("")}},
      {"defaults", {top("defaults: {timeout: 1h}\n"), top("")}},
      {"defaults.retry", {top("defaults: {retry: {attempts: 3}}\n"), top("defaults: {}\n")}},
      {"defaults.timeout", {top("defaults: {timeout: 1h}\n"), top("defaults: {}\n")}},
      {"defaults.limits", {top("limits: {a: 2}\ndefaults: {limits: {a: 1}}\n"), top("limits: {a: 2}\ndefaults: {}\n")}},
      {"env", {top("env: {A: b}\n"), top("")}},
      {"stages", {top(""), "job: j\nstages: {two: {uses: shell.run, with: {argv: [a]}}}\n"}},
      {"on_failure", {top("on_failure: {tell: {uses: shell.run}}\n"), top("")}},
      {"on_success", {top("on_success: {tell: {uses: shell.run}}\n"), top("")}},
      {"on_cancel", {top("on_cancel: {tell: {uses: shell.run}}\n"), top("")}},
      {"priority", {top("priority: 3\n"), top("")}},
      {"queue", {top("queue: q\n"), top("")}},
      {"labels", {top("labels: {a: b}\n"), top("")}},
      {"retain", {top("retain: 30d\n"), top("")}},
      {"unique", {top("params: {a: string}\nunique: \"${ params.a }\"\n"), top("params: {a: string}\n")}},
      {"result", {top("result: 7\n"), top("")}},
      {"concurrency", {top("params: {a: string}\nconcurrency: \"${ params.a }\"\n"), top("params: {a: string}\n")}},
      {"continue_as", {top("params: {n: integer}\ncontinue_as: {with: {n: 2}}\n"), top("params: {n: integer}\n")}},
      {"continue_as.when", {top("continue_as: {when: \"${ 1 > 0 }\", with: {}}\n"), top("continue_as: {with: {}}\n")}},
      {"continue_as.with", {top("continue_as: {with: {n: 1}}\n"), top("continue_as: {with: {}}\n")}},
      {"stages.lock", {stage("lock: one"), stage("sleep: 1h")}},
      {"stages.lock.name", {stage("lock: {name: one}"), stage("lock: {name: other}")}},
      {"stages.lock.permits", {stage("lock: {name: one, permits: 2}"), stage("lock: {name: one}")}},
      {"stages.lock.timeout", {stage("lock: {name: one, timeout: 2h}"), stage("lock: {name: one}")}},
      {"stages.when", {call("when: \"${ len(params.p) > 0 }\""), call("")}},
      {"stages.foreach", {each(""), call("")}},
      {"stages.foreach.items", {stage("foreach: {items: \"${ params.p }\"" + rest), each("parallel: 1")}},
      {"stages.foreach.grow", {stage(grow + rest), each("")}},
      {"stages.foreach.key", {stage(grow + ", key: \"${ item.id }\"" + rest), stage(grow + rest)}},
      {"stages.foreach.depth", {stage(grow + ", depth: 3" + rest), stage(grow + rest)}},
      {"stages.foreach.max", {stage(grow + ", max: 30" + rest), stage(grow + rest)}},
      {"stages.stages",
       {stage("foreach: \"${ params.p }\", stages: {a: {uses: shell.run}, b: {needs: [a], uses: shell.run}}"),
        each("")}},
      {"stages.env", {call("env: {A: b}"), call("")}},
      {"stages.parallel", {each("parallel: 3"), each("")}},
      {"stages.uses", {call(""), stage("uses: http.request, with: {argv: [a]}")}},
      {"stages.with", {call(""), stage("uses: shell.run")}},
      {"stages.sleep", {stage("sleep: 48h"), call("")}},
      {"stages.wait_signal", {stage("wait_signal: go"), call("")}},
      {"stages.wait_signal.name", {stage("wait_signal: {name: go}"), stage("wait_signal: {name: gone}")}},
      {"stages.wait_signal.timeout", {stage("wait_signal: {name: go, timeout: 1h}"), stage("wait_signal: {name: go}")}},
      {"stages.wait_signal.otherwise",
       {stage("wait_signal: {name: go, timeout: 1h, otherwise: go_on}"),
        stage("wait_signal: {name: go, timeout: 1h}")}},
      {"stages.approve", {stage("approve: \"really?\""), call("")}},
      {"stages.approve.text", {stage("approve: {text: \"really?\"}"), stage("approve: {}")}},
      {"stages.approve.who", {stage("approve: {who: [ann]}"), stage("approve: {}")}},
      {"stages.approve.within", {stage("approve: {within: 1h}"), stage("approve: {}")}},
      {"stages.approve.remind", {stage("approve: {remind: 1h}"), stage("approve: {}")}},
      {"stages.approve.otherwise", {stage("approve: {otherwise: go_on}"), stage("approve: {}")}},
      {"stages.run", {stage("run: other"), call("")}},
      {"stages.output", {call("output: \"${ output.x }\""), call("")}},
      {"stages.limits", {call("limits: {net: 1}"), call("")}},
      {"stages.retry", {call("retry: {attempts: 3}"), call("")}},
      {"stages.retry.attempts", {call("retry: {attempts: 3}"), call("retry: {attempts: 4}")}},
      {"stages.retry.backoff", {call("retry: {attempts: 3, backoff: 2s}"), call("retry: {attempts: 3}")}},
      {"stages.retry.max", {call("retry: {attempts: 3, max: 2s}"), call("retry: {attempts: 3}")}},
      {"stages.retry.factor", {call("retry: {attempts: 3, factor: 3}"), call("retry: {attempts: 3}")}},
      {"stages.retry.jitter", {call("retry: {attempts: 3, jitter: 0}"), call("retry: {attempts: 3}")}},
      {"stages.timeout", {call("timeout: 1h"), call("")}},
      {"stages.on_item_error", {each("on_item_error: skip"), each("on_item_error: record")}},
      {"stages.retry_safe", {call("retry_safe: true"), call("")}},
      {"stages.limits.estimate", {call("limits: {net: {estimate: 2}}"), call("limits: {net: 2}")}},
      {"defaults.limits.estimate",
       {top("limits: {a: 2}\ndefaults: {limits: {a: {estimate: 2}}}\n"), top("limits: {a: 2}\ndefaults: {limits: {a: 2}}\n")}},
      {"stages.provider_down", {call("provider_down: fail"), call("")}},
      {"stages.emit", {call("emit: {to: t, rows: \"${ output.rows }\"}"), call("")}},
      {"stages.emit.to", {call("emit: {to: t, rows: 1}"), call("emit: {to: u, rows: 1}")}},
      {"stages.emit.rows", {call("emit: {to: t, rows: 1}"), call("emit: {to: t, rows: 2}")}},
  };
  std::set<std::string> keys;
  collect_keys(jobfile::job_format(), {}, keys);
  REQUIRE(keys.contains("stages.approve.remind"));
  REQUIRE(keys.contains("stages.foreach.grow"));
  for (const auto& key : keys) {
    // What the header of a script says in the same words is there as it stands.
    static const std::set<std::string> kCopied{"schedule", "unique", "checks",     "limits",
                                               "params",   "types",  "concurrency"};
    const std::string first = key.substr(0, key.find('.'));
    if (kCopied.contains(first) && key != first) continue;
    if (key.starts_with("defaults.retry.")) continue;
    if (key == "stages.needs") continue;
    INFO("the key " << key << " needs a sample here");
    REQUIRE(samples.contains(key));
    const auto& [with, without] = samples.at(key);
    INFO(with);
    const std::string lua = jobfile::to_lua(with, "j.yaml");
    INFO(lua);
    CHECK(lua != jobfile::to_lua(without, "j.yaml"));
    const model::ScriptBundle bundle{.file = "j.lua", .text = lua, .modules = {}, .header = {}};
    model::ScriptBundle whole = bundle;
    whole.header = script::Execution(bundle, {}).header();
    CHECK_NOTHROW(jobfile::parse(whole.to_text(), "j.lua"));
  }
  const std::string two = "job: j\nstages:\n  a: {uses: shell.run}\n  b: {uses: shell.run";
  CHECK(jobfile::to_lua(two + ", needs: [a]}\n", "j.yaml") != jobfile::to_lua(two + "}\n", "j.yaml"));
  // What a script cannot say is refused, with the place.
  CHECK_THROWS_WITH(jobfile::to_lua(stage("sleep: 1h, emit: {to: t, rows: 1}"), "j.yaml"),
                    Catch::Contains("stage 'one' emits rows with a step that calls no method"));
  CHECK_THROWS_WITH(
      jobfile::to_lua(top("on_failure: {tell: {uses: shell.run, with: {argv: [\"${ stages.one.x }\"]}}}\n"), "j.yaml"),
      Catch::Contains("reads stages.one"));
  CHECK_THROWS_WITH(jobfile::to_lua(each("limits: {'net:${ item }': 1}"), "j.yaml"),
                    Catch::Contains("the limits of stage 'one' read `item`"));
  CHECK_THROWS_WITH(jobfile::to_lua(stage("uses: sql.exec, with: \"${ params.p }\""), "j.yaml"),
                    Catch::Contains("the statement of stage 'one'"));
  CHECK_THROWS_WITH(jobfile::to_lua(stage("foreach: {items: \"${ params.p }\", grow: \"${ output.found }\"}, uses: "
                                          "shell.run, with: {n: \"${ index }\"}"),
                                    "j.yaml"),
                    Catch::Contains("reads `index`"));
}
