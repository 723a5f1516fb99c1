-- The same job as sweep.yaml, as a script: one origin, many destinations, many days.
local gw = require "godwit"

local airport = { type = "string", pattern = "^[A-Z]{3}$", description = "IATA code of an airport" }

-- Written with each step, and so once.
local rows = [[${ map(output.offers, function(offer) return {
  origin = item.origin, destination = item.destination, date = item.depart, airline = offer.airline,
  amount = offer.price.amount, currency = offer.price.currency, digits = offer.price.digits,
  departure = offer.outbound.departure.utc, stops = offer.outbound.stops, offer = offer.id} end) }]]

return gw.job {
  name = "sweep_lua",
  description = "The best prices from one airport to many, over many days",
  params = {
    origin = airport,
    destinations = { type = "array", minItems = 1, maxItems = 500, uniqueItems = true, items = airport },
    from = "date",
    to = "date",
    adults = { type = "integer", minimum = 1, maximum = 9, default = 1 },
    max_stops = { type = "integer", minimum = 0, maximum = 9, optional = true },
    excluded_airlines = { type = "array", uniqueItems = true, items = { type = "string", pattern = "^[A-Z0-9]{2}$" }, default = gw.array {} },
    currency = { type = "string", pattern = "^[A-Z]{3}$", default = "EUR" },
    keep = { type = "integer", minimum = 1, maximum = 10, default = 2 },
  },
  checks = {
    { that = "${ params.to >= params.from }", message = "to: ${ params.to } is before from ${ params.from }" },
    { that = "${ not contains(params.destinations, params.origin) }", message = "destinations: ${ params.origin } is the origin" },
  },
  timeout = "3d",
  limits = { searches = 16 },
  run = function(p)
    local found = gw.each("search", product(p.destinations, gw.dates(p.from, p.to)), { parallel = 16, on_error = "record" }, function(pair)
      return gw.call("flight-search/1", "search", {
        origin = p.origin, destination = pair[1], depart = pair[2], adults = p.adults,
        max_stops = p.max_stops or gw.null, excluded_airlines = p.excluded_airlines, currency = p.currency, max_offers = p.keep,
      }, {
        output = { found = "${ output.found }", offers = "${ output.offers }", airports = "${ output.airports }" },
        emit = { to = "flight_prices", rows = rows },
        limits = { searches = 1 },
        retry = { attempts = 8, backoff = "2s", max = "5m" },
        timeout = "2m",
      })
    end)
    return gw.stage("fold", "flights.sweep_fold", { found = found })
  end,
}
