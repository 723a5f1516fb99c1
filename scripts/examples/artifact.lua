-- A file that a run makes, kept once by its content: `godwit artifact list`, `godwit artifact get`. Another step reads it again.
local gw = require "godwit"

return gw.job {
  name = "artifact_lua",
  params = { numbers = "integer[]" },
  run = function(p)
    local report = gw.artifact("numbers.csv", join(p.numbers, ","), { name = "report", media_type = "text/csv" })
    return { file = report.artifact, text = gw.content(report, { name = "back" }) }
  end,
}
