-- One step for each item of a list, some of them at once; each is recorded when it ends and never done again.
local gw = require "godwit"

return gw.job {
  name = "fan_out_lua",
  params = { pictures = { type = "array", minItems = 1, items = { type = "string" } } },
  run = function(p)
    return gw.each("shrink", p.pictures, { parallel = 4 }, function(picture)
      local small = picture .. ".small.png"
      return gw.call("shell.run", { argv = { "convert", picture, "-resize", "200", small } },
                     { retry_safe = true, output = small })          -- making the same file again does no harm
    end)
  end,
}
