-- Variables for the programs of all calls, and more of them for one.
local gw = require "godwit"

return gw.job {
  name = "env_lua",
  params = { tenant = "string" },
  env = { LANG = "C", TENANT = "${ params.tenant }" },
  run = function()
    return gw.stage("export", "shell.run", { argv = { "export-data" }, stdout = "json" },
                    { env = { FORMAT = "json" }, retry_safe = true, output = "${ output.stdout }" })
  end,
}
