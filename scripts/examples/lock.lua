-- A name that one has at a time, whatever job, run or branch it is: the lock is free when the function has ended, at the latest with the run.
local gw = require "godwit"

return gw.job {
  name = "lock_lua",
  params = { files = "string[]" },
  run = function(p)
    local done = gw.each("merge", p.files, { parallel = 8 }, function(file)
      gw.stage("fetch", "shell.run", { argv = { "fetch", file } }, { retry_safe = true, output = "fetched" })
      return gw.lock("ledger", { name = "turn", timeout = "1h" }, function()
        return gw.stage("write", "shell.run", { argv = { "append", file } }, { retry_safe = true, output = "written" })
      end)
    end)
    return #done
  end,
}
