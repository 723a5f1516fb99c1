-- What is only done when it is needed is an `if`.
local gw = require "godwit"

return gw.job {
  name = "when_lua",
  params = { hosts = "string[]" },
  run = function(p)
    local up = gw.each("ping", p.hosts, function(host)
      return gw.call("shell.run", { argv = { "ping", "-c1", host }, ok_exit_codes = { 0, 1 } },
                     { retry_safe = true, output = "${ output.exit_code == 0 }" })
    end)
    if not contains(up, false) then return "all is well" end
    gw.stage("alarm", "http.request", { method = "POST", url = "https://pager.example/", json = { text = "some hosts are down" } },
             { retry_safe = true, output = true })
    return "alarmed"
  end,
}
