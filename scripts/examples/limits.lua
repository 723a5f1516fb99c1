-- A named limit holds for all runs together: whoever finds it taken waits, and `godwit why` says for whom.
local gw = require "godwit"

return gw.job {
  name = "limits_lua",
  params = { cities = "string[]" },
  limits = { weather_api = 2 },                      -- the operator's own setting of that name wins
  run = function(p)
    return max(gw.each("forecast", p.cities, function(city)
      return gw.call("http.request", { url = "https://weather.example/" .. city },
                     { limits = { weather_api = 1 }, retry_safe = true, output = "${ output.json.degrees }" })
    end))
  end,
}
