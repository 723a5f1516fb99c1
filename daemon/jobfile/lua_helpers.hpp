#pragma once

// Functions that stand in scripts which were made of YAML jobs, those of them that the job needs.
namespace godwit::jobfile {

inline constexpr const char* kRecorded = R"(-- What stages.NAME of a foreach is in YAML.
local function recorded(items)
  local all = {count = #items, succeeded = 0, failed = 0, items = items}
  for _, one in ipairs(items) do
    if one.state == "succeeded" then all.succeeded = all.succeeded + 1 else all.failed = all.failed + 1 end
  end
  return all
end

)";
inline constexpr const char* kWithoutFailed = R"(-- The same without the items that failed.
local function without_failed(all)
  local kept = gw.array {}
  for _, one in ipairs(all.items) do
    if one.state == "succeeded" then kept[#kept + 1] = one end
  end
  all.items = kept
  return all
end

)";
inline constexpr const char* kSucceeded = R"(-- The same where every item must succeed.
local function succeeded(list, outputs)
  local items = gw.array {}
  for index, item in ipairs(list) do
    items[index] = {item = item, index = index - 1, state = "succeeded", output = outputs[index], error = gw.null}
  end
  return {count = #items, succeeded = #items, failed = 0, items = items}
end

)";
inline constexpr const char* kGrown = R"(-- The same of a list that has grown.
local function grown(pairs_of)
  local list, outputs = {}, {}
  for index, pair in ipairs(pairs_of) do list[index], outputs[index] = pair[1], pair[2] end
  return succeeded(list, outputs)
end

)";
inline constexpr const char* kWithin = R"(-- The stages of one item, which see those around them.
local function within(stages)
  return setmetatable({}, {__index = stages})
end

)";
inline constexpr const char* kLiteral = R"(-- A value as the text of an expression, to the last digit; with `read` only those of its members.
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

)";
inline constexpr const char* kHolds = R"(-- A condition of YAML holds when it is neither null nor false.
local function holds(value)
  return value ~= nil and value ~= gw.null and value ~= false
end

)";
// In the order in which they may use each other.
inline constexpr const char* kHelpers[] = {kHolds, kRecorded, kWithoutFailed, kSucceeded, kGrown, kWithin, kLiteral};

}  // namespace godwit::jobfile
