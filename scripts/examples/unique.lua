-- One run for each key: while such a run has not ended, a submit for the same is refused (or gives that run: `otherwise = "existing"`).
local gw = require "godwit"

return gw.job {
  name = "unique_lua",
  params = { customer = "string" },
  unique = { key = "${ params.customer }", otherwise = "refuse" },
  run = function(p)
    return gw.stage("bill", "http.request", { method = "POST", url = "https://bills.example/" .. p.customer },
                    { retry_safe = true, output = "billed" })
  end,
}
