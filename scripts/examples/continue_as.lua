-- For what never ends: the run ends, and the next one goes on with other parameters, both in one transaction.
local gw = require "godwit"

return gw.job {
  name = "continue_as_lua",
  params = { from = { type = "integer", default = 1 } },
  run = function(p)
    local page = gw.stage("page", "http.request", { url = "https://feed.example/pages/" .. p.from }, {
      retry_safe = true, output = { rows = "${ len(output.json.rows) }", next = "${ output.json.next }" },
    })
    if page.next ~= gw.null then gw.continue_as({ from = page.next }, page.rows) end
    return page.rows
  end,
}
