-- Waiting costs nothing: a run that sleeps for two days is one row, and wakes on time after a restart too.
local gw = require "godwit"

return gw.job {
  name = "sleep_lua",
  params = { order = "string" },
  run = function(p)
    gw.stage("ship", "http.request", { method = "POST", url = "https://shop.example/ship/" .. p.order },
             { retry_safe = true, output = "${ output.status }" })
    gw.sleep("48h", "patience")                      -- or an instant
    return gw.stage("ask", "http.request", { method = "POST", url = "https://mail.example/how-was-it/" .. p.order },
                    { retry_safe = true, output = "asked" })
  end,
}
