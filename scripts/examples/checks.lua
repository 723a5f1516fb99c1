-- What is wrong with the parameters is told at the submit, all of it, with its place; nothing has been done then.
local gw = require "godwit"

return gw.job {
  name = "checks_lua",
  types = { airport = { type = "string", pattern = "^[A-Z]{3}$" } },
  params = {
    from = { ["$ref"] = "airport" },
    to = { ["$ref"] = "airport" },
    days = { type = "integer", minimum = 1, default = 7 },
  },
  checks = { { that = "${ params.from ~= params.to }", message = "to: ${ params.to } is where the journey begins" } },
  run = function(p)
    return gw.stage("search", "http.request",
      { url = "https://fares.example/", query = { from = p.from, to = p.to, days = p.days } },
      { retry_safe = true, output = "${ output.json }" })
  end,
}
