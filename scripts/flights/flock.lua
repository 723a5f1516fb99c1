-- The same job as flock.yaml, as a script: where can a group of people meet, each flying from somewhere else?
local gw = require "godwit"

local function closed(properties, required)
  return { type = "object", additionalProperties = false, properties = properties, required = required }
end
local function ref(name, more)
  local schema = more or {}
  schema["$ref"] = name
  return schema
end

local function search(p)
  local filters = p.default_filters
  return gw.each("search", product(p.travelers, p.destinations), { on_error = "record" }, function(pair)
    local traveler, destination = pair[1], pair[2]
    return gw.call("flight-search/1", "search", {
      origin = traveler.origin_airport,
      destination = destination,
      depart = p.outbound_date,
      ["return"] = p.return_date,
      adults = 1,
      excluded_airlines = get(traveler, "filters.excluded_airlines", get(filters, "excluded_airlines", gw.null)),
      currency = p.currency,
    }, { limits = { searches = 1 }, retry = { attempts = 5, backoff = "2s", max = "1m" }, timeout = "1m" })
  end)
end

return gw.job {
  name = "flock_lua",
  description = "The cheapest place for a group to meet",
  types = {
    airport = { type = "string", pattern = "^[A-Z]{3}$", description = "IATA code of an airport" },
    airline = { type = "string", pattern = "^[A-Z0-9]{2}$", description = "IATA code of an airline" },
    clock = { type = "string", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", description = "HH:MM on the clock of the airport" },
    window = closed({ earliest = ref "clock", latest = ref "clock" }, { "earliest", "latest" }),
    money = closed({ amount = { type = "integer", minimum = 0 }, currency = { type = "string", pattern = "^[A-Z]{3}$" } },
                   { "amount", "currency" }),
    filters = closed {
      non_stop_only = "boolean",
      max_stops = { type = "integer", minimum = 0, maximum = 9, description = "Stops of each way" },
      excluded_airlines = { type = "array", uniqueItems = true, items = ref "airline" },
      outbound_departure = ref "window", outbound_arrival = ref "window",
      return_departure = ref "window", return_arrival = ref "window",
      price_ceiling = ref "money",
    },
    traveler = closed({ name = { type = "string", minLength = 1, maxLength = 200 },
                        origin_airport = ref "airport", filters = ref "filters" }, { "name", "origin_airport" }),
  },
  params = {
    travelers = { type = "array", minItems = 1, maxItems = 100, items = ref "traveler" },
    destinations = { type = "array", minItems = 1, maxItems = 200, uniqueItems = true, items = ref "airport" },
    outbound_date = "date",
    return_date = "date",
    default_filters = ref("filters", { default = {}, description = "For travelers who give none of that name" }),
    price_ceiling = ref("money", { optional = true, description = "The most that each traveler's flight may cost" }),
    currency = { type = "string", pattern = "^[A-Z]{3}$", default = "EUR" },
  },
  checks = {
    { that = "${ params.return_date >= params.outbound_date }",
      message = "return_date: ${ params.return_date } is before outbound_date ${ params.outbound_date }" },
    { that = "${ len(unique(map(params.travelers, function(t) return t.name end))) == len(params.travelers) }",
      message = "travelers: two of them have the same name" },
    { that = "${ params.price_ceiling == nil or params.default_filters.price_ceiling == nil }",
      message = "price_ceiling: is given in default_filters as well" },
  },
  timeout = "2h",
  limits = { searches = 8 },
  run = function(p)
    return gw.stage("rank", "flights.rank_group", {
      found = search(p),
      travelers = p.travelers,
      destinations = p.destinations,
      default_filters = p.default_filters,
      price_ceiling = p.price_ceiling or gw.null,
    })
  end,
}
