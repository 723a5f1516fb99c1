-- A person decides: `godwit approve RUN publish`, or --reject. Who may is said here; who did is in the audit.
local gw = require "godwit"

return gw.job {
  name = "approval_lua",
  params = { text = "string" },
  run = function(p)
    local yes = gw.approve("publish", { text = "Publish this? " .. p.text, who = { "ann", "role:operator" },
                                        within = "24h", remind = "8h" })
    if yes then
      gw.stage("post", "http.request", { method = "POST", url = "https://news.example/", json = { text = p.text } },
               { retry_safe = true, output = "posted" })
    end
    return { posted = yes }
  end,
}
