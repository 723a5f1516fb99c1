-- A job that runs another one, for each item of a list. A child is a run of its own, and is cancelled with its parent.
local gw = require "godwit"

return gw.job {
  name = "child_lua",
  params = { cities = "string[]" },
  run = function(p)
    local guides = gw.each("guides", p.cities, { on_error = "record" }, function(city)
      return gw.child("branches", { city = city })   -- the job of branches.yaml
    end)
    local sent = filter(guides, function(one) return one.state == "succeeded" end)
    return { sent = #sent, failed = #guides - #sent }
  end,
}
