-- The same job as sweep_one_step.yaml, as a script: one long step that saves its state after each search and goes on there after a crash.
local gw = require "godwit"

local airport = { type = "string", pattern = "^[A-Z]{3}$", description = "IATA code of an airport" }

return gw.job {
  name = "sweep_one_step_lua",
  description = "The best prices from one airport to many, over many days, one search after the other",
  params = {
    origin = airport,
    destinations = { type = "array", minItems = 1, maxItems = 500, uniqueItems = true, items = airport },
    from = "date",
    to = "date",
    adults = { type = "integer", minimum = 1, maximum = 9, default = 1 },
    max_stops = { type = "integer", minimum = 0, maximum = 9, optional = true },
    excluded_airlines = { type = "array", uniqueItems = true, items = { type = "string", pattern = "^[A-Z0-9]{2}$" }, default = gw.array {} },
    currency = { type = "string", pattern = "^[A-Z]{3}$", default = "EUR" },
  },
  checks = {
    { that = "${ params.to >= params.from }", message = "to: ${ params.to } is before from ${ params.from }" },
    { that = "${ not contains(params.destinations, params.origin) }", message = "destinations: ${ params.origin } is the origin" },
  },
  timeout = "3d",
  run = function(p)
    return gw.stage("sweep", "flights.sweep", {
      origin = p.origin,
      destinations = p.destinations,
      dates = gw.dates(p.from, p.to),
      search = {
        adults = p.adults,
        max_stops = p.max_stops or gw.null,
        excluded_airlines = p.excluded_airlines,
        currency = p.currency,
      },
      attempts = 8,
    }, { retry = { attempts = 10, backoff = "10s", max = "10m" } })
  end,
}
