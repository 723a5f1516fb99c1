// Goal: a YAML job becomes a script that says the same of itself. Method: all shipped jobs are converted and loaded;
// one is looked at as text.
#include <catch2/catch.hpp>

#include <filesystem>

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

-- The same where every item must succeed.
local function succeeded(list, outputs)
  local items = gw.array {}
  for index, item in ipairs(list) do
    items[index] = {item = item, index = index - 1, state = "succeeded", output = outputs[index]}
  end
  return {count = #items, succeeded = #items, failed = 0, items = items}
end

-- A value as the text of an expression.
local function literal(value)
  if value == gw.null then return "null" end
  if type(value) == "string" then return string.format("%q", value) end
  if type(value) ~= "table" then return tostring(value) end
  local members = {}
  for key, member in pairs(value) do members[#members + 1] = "[" .. literal(key) .. "] = " .. literal(member) end
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
        stages.world = gw.call("mail.send", {text = "hello " .. tostring(params.name), ["end"] = {1, gw.null}})
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
