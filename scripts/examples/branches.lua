-- Functions that go on side by side, and one that needs what they found.
local gw = require "godwit"

local function ask(url)
  return gw.call("http.request", { url = url }, { retry_safe = true, output = "${ output.json }" })
end

return gw.job {
  name = "branches_lua",
  params = { city = "string" },
  run = function(p)
    local found = gw.all {
      weather = function() return ask("https://weather.example/" .. p.city) end,
      hotels = function() return ask("https://hotels.example/" .. p.city) end,
    }
    return gw.stage("report", "http.request", {
      method = "POST",
      url = "https://mail.example/send",
      json = { weather = found.weather.sky, cheapest = min(found.hotels.prices) },
    }, { retry_safe = true, output = "sent" })
  end,
}
