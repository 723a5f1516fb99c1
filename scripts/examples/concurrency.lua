-- So many runs of one key at a time: one more waits its turn (queue), is left out with a record (skip), or ends the older (cancel_older).
local gw = require "godwit"

return gw.job {
  name = "concurrency_lua",
  params = { tenant = "string" },
  concurrency = { key = "${ params.tenant }", limit = 1, ["then"] = "queue" },
  run = function(p)
    return gw.stage("import", "shell.run", { argv = { "import-data", p.tenant } }, { retry_safe = true, output = "imported" })
  end,
}
