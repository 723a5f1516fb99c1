-- An item that fails for good costs the others nothing: it is recorded, and the result tells about it.
local gw = require "godwit"

return gw.job {
  name = "errors_lua",
  params = { invoices = "integer[]" },
  run = function(p)
    local sent = gw.each("send", p.invoices, { on_error = "record" }, function(invoice)
      return gw.call("http.request", { method = "POST", url = "https://mail.example/send", json = { invoice = invoice } },
                     { retry_safe = true, retry = { attempts = 2, backoff = "5s" } })
    end)
    local result = { sent = 0, unsent = gw.array {} }
    for _, one in ipairs(sent) do
      if one.state == "succeeded" then
        result.sent = result.sent + 1
      else
        table.insert(result.unsent, { invoice = one.item, why = one.error.code })
      end
    end
    return result
  end,
}
