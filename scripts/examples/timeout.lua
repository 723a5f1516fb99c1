-- A deadline for each attempt, and one for the whole run from its submit.
local gw = require "godwit"

return gw.job {
  name = "timeout_lua",
  params = { report = "string" },
  timeout = "1h",
  run = function(p)
    return gw.stage("build", "shell.run", { argv = { "make-report", p.report } }, {
      retry_safe = true,
      timeout = "10m",
      retry = { attempts = 20, backoff = "1m", max = "5m" },
      output = "${ output.stdout }",
    })
  end,
}
