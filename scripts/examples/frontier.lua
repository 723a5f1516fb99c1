-- A list that grows while it is worked off: what each page links to is added, each page once, no deeper than `depth`.
local gw = require "godwit"

return gw.job {
  name = "frontier_lua",
  params = { start = { type = "string", format = "uri" } },
  run = function(p)
    local pages = gw.frontier("crawl", { p.start }, { parallel = 4, depth = 2, max = 1000, on_error = "record" }, function(url, grow)
      local page = gw.call("http.request", { url = url }, { retry_safe = true, output = { links = "${ output.json.links }" } })
      for _, link in ipairs(page.links) do grow(link) end
      return page
    end)
    return { seen = #pages, broken = #filter(pages, function(page) return page.state == "failed" end) }
  end,
}
