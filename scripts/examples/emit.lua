-- Rows that are written in the same transaction as the step they come from: never without it, never twice.
-- An application reads them from the view godwit.emitted while the run goes on.
local gw = require "godwit"

return gw.job {
  name = "emit_lua",
  params = { feeds = { type = "array", items = { type = "string", format = "uri" } } },
  run = function(p)
    return sum(gw.each("fetch", p.feeds, function(feed)
      return gw.call("http.request", { url = feed }, {
        retry_safe = true,
        -- `item` is what the method was called with
        emit = { to = "headlines", rows = "${ map(output.json.items, function(entry) return {feed = item.url, title = entry.title} end) }" },
        output = "${ len(output.json.items) }",
      })
    end))
  end,
}
