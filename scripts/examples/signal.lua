-- Waits for somebody else: `godwit signal RUN paid '{"amount": 12}'`, or select godwit.signal(run, 'paid', '{...}') in SQL.
-- A signal that comes before it is waited for is kept.
local gw = require "godwit"

return gw.job {
  name = "signal_lua",
  params = { order = "string" },
  run = function(p)
    local paid = gw.wait("paid", { name = "payment", timeout = "3d", otherwise = "fail" })
    return gw.stage("ship", "http.request",
      { method = "POST", url = "https://shop.example/ship/" .. p.order, json = { paid = paid.amount } },
      { retry_safe = true, output = "shipped" })
  end,
}
