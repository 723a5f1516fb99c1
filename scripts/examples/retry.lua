-- What fails for the moment is tried again, later and later; what fails for good is not.
local gw = require "godwit"

return gw.job {
  name = "retry_lua",
  params = { url = { type = "string", format = "uri" } },
  run = function(p)
    return gw.stage("fetch", "http.request", { url = p.url }, {
      retry_safe = true,                             -- a GET may be repeated, also after a crash in mid-call
      retry = { attempts = 5, backoff = "2s", max = "1m" },
      timeout = "20s",
      output = "${ output.json }",
    })
  end,
}
