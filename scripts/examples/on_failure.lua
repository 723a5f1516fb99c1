-- What is done when a run has failed, before its end is recorded: it survives crashes as all else does, and changes nothing of the end.
local gw = require "godwit"

return gw.job {
  name = "on_failure_lua",
  params = { disk = "string" },
  run = function(p)
    gw.stage("grow", "shell.run", { argv = { "lvextend", "-L+10G", p.disk } }, { retry_safe = true })
    return "grown"
  end,
  on_failure = function(outcome, p)
    gw.stage("tell", "http.request",
      { method = "POST", url = "https://pager.example/", json = { disk = p.disk, why = outcome.error.code, at = outcome.error.step } },
      { retry_safe = true, output = "told" })
  end,
}
