---@meta godwit
-- Printed by `godwit lua stubs`: annotations for LuaLS. Not meant to be changed or run.

--- When a failed attempt is made again.
---@class godwit.Retry
---@field attempts integer in all, the first one included
---@field backoff? string the first pause: "2s"
---@field max? string the longest pause: "1m"
---@field factor? number by which the pause grows, 2 when absent
---@field jitter? number 0 to 1, 0.2 when absent

--- Rows for godwit.emitted, written in the transaction that records the step.
---@class godwit.Emit
---@field to string the topic
---@field rows any one row or a list; may use ${output} and ${item} (the input)

--- How a step is done. The keys mean what they mean for a stage in YAML.
---@class godwit.CallOptions
---@field name? string the name of the step; that of the method when absent
---@field limits? table<string, integer|string|table> what it takes of limits: {api = 1, tokens = {estimate = 2000}}
---@field provider_down? "wait"|"fail" what becomes of an attempt while its provider is not called; wait when absent
---@field retry? godwit.Retry the retry of the job when absent
---@field timeout? string of one attempt: "30s"
---@field retry_safe? boolean whether it may be repeated when nobody knows how it ended; as its plugin says when absent
---@field output? any what is kept of the output: "${ output.price }", or a table of such
---@field emit? godwit.Emit rows to write with the step
---@field env? table<string, string> variables, beside those of the job; for methods that take `env`

--- How a statement is executed.
---@class godwit.SqlOptions
---@field name? string the name of the step, "sql" when absent
---@field limits? table<string, integer> permits it takes while it runs
---@field retry? godwit.Retry when the database says that another try may go better
---@field timeout? string of one attempt: "30s"

--- How an artifact is read.
---@class godwit.ContentOptions
---@field name? string the name of the step, "artifact.get" when absent

--- How a lock is waited for.
---@class godwit.LockOptions
---@field name? string the name of the step, "lock" when absent
---@field permits? integer how many may have it at once, 1 when absent
---@field timeout? string after this time the step fails with `timeout`

--- What kind of a file it is.
---@class godwit.ArtifactOptions
---@field name? string the name of the step, "artifact.put" when absent
---@field media_type? string "text/csv"; text/plain or application/octet-stream when absent

--- How a loop goes over its items.
---@class godwit.EachOptions
---@field parallel? integer items in flight at once, 32 when absent
---@field on_error? "fail"|"skip"|"record" what becomes of the loop when an item fails for good; record: every result is {item, index, state, output, error}
---@field fold? table {init, fn}: fn(acc, result, item, index) is called in the order of the items, and the loop gives the last acc
---@field key? (fun(item: any): string|integer) names an item's steps; its index (from 0) when absent

--- How a growing list is worked off.
---@class godwit.FrontierOptions
---@field parallel? integer items in flight at once, 32 when absent
---@field on_error? "fail"|"skip"|"record" as for gw.each
---@field key? (fun(item: any): string|integer) items of the same key are one; the item itself when absent
---@field depth? integer how far from the first items it may grow
---@field max? integer how many items there may be, 100000 when absent; more are left out

--- How a signal is waited for.
---@class godwit.WaitOptions
---@field timeout? string after this time the wait gives nil
---@field otherwise? "fail"|"go_on" "fail": the step fails with `timeout` instead
---@field name? string the name of the step; that of the signal when absent

--- Who may approve, and how long that is waited for.
---@class godwit.ApproveOptions
---@field within? string after this time it counts as refused: "24h"
---@field who? string|string[] users or groups that may approve; every operator when absent
---@field remind? string remind again after this time
---@field otherwise? "fail"|"go_on" "fail": a refusal fails the step, with `rejected` or `timeout`
---@field text? string what the person reads

--- How another job is run.
---@class godwit.ChildOptions
---@field name? string the name of the step; that of the job when absent
---@field timeout? string how long its end is waited for

--- A job. Keys that YAML jobs have too mean the same there.
---@class godwit.Job
---@field name string of the job
---@field run fun(params: table): any does the work; what it gives is the run's result
---@field description? string one line for people
---@field params? table JSON Schema of each parameter, or short: "string", "date", "string[]", "integer?"
---@field types? table named schemas, for {["$ref"] = name}
---@field checks? table {that = "${...}", message = ...}: what a schema cannot say
---@field timeout? string of the whole run
---@field limits? table<string, integer> semaphores the job declares; the operator's setting wins
---@field schedule? table when it runs by itself
---@field priority? integer -100 to 100; higher ones first
---@field queue? string in which its runs wait
---@field labels? table<string, string> for `godwit list --label`; may use ${params...}
---@field retain? string how long a run is kept after its end: "30d"
---@field unique? any "${ key }", or {key = ..., otherwise = "refuse"|"existing"}: one run for each key
---@field concurrency? any "${ key }", or {key = ..., limit = 1, ["then"] = "queue"|"skip"|"cancel_older"}: so many runs of a key at a time
---@field retry? godwit.Retry of every call that says nothing else
---@field defaults? table {retry, timeout, limits} of every call that says nothing else
---@field env? table<string, string> for methods that take `env`, such as shell.run; may use ${params...}
---@field on_failure? fun(outcome: table, params: table) runs before the end of a run that failed is recorded; outcome is {state, result, error = {code, message, step}}
---@field on_success? fun(outcome: table, params: table) the same of one that succeeded
---@field on_cancel? fun(outcome: table, params: table) the same of one that was cancelled
---@field budget? table {memory = "64MiB", cpu = "2s", steps = 20000}: what the script may use

---@class godwit
---@field null any JSON's null, which nil cannot stand for in a table
gw = {}

--- Calls a method of a provider: one durable step. gw.call("mail.send", args) is the same as gw.call("mail", "send", args). Raises {code, message, step} when it has failed for good.
--- In YAML: `uses, with`
---@param provider string a provider, or a contract such as "flight-search/1"
---@param method string the method
---@param args? table its arguments
---@param opts? godwit.CallOptions how it is done
---@return any
function gw.call(provider, method, args, opts) end

--- Calls a method as the step `name`: what a stage without foreach is in YAML.
--- In YAML: `stages.<name>`
---@param name string of the step
---@param uses string "flights.rank_group"
---@param args? table its arguments
---@param opts? godwit.CallOptions how it is done
---@return any
function gw.stage(name, uses, args, opts) end

--- Waits. The run holds nothing meanwhile, however long it is; a restart does not make it longer.
--- In YAML: `sleep`
---@param duration string|number "24h", seconds, or an instant such as "2026-05-01T08:00:00Z"
---@param name? string of the step
---@return table
function gw.sleep(duration, name) end

--- Waits for a signal (`godwit signal RUN NAME JSON`) and gives what came with it, and {payload, by, at}; nil when the time is over.
--- In YAML: `wait_signal`
---@param signal string its name
---@param opts? godwit.WaitOptions how long
---@return any, table|string
function gw.wait(signal, opts) end

--- Waits until a person approves or refuses; gives true or false, and {approved, by, comment}.
--- In YAML: `approve`
---@param name string of the step
---@param opts? godwit.ApproveOptions who and how long
---@return boolean, table
function gw.approve(name, opts) end

--- Runs another job and gives its result. It is cancelled with this run.
--- In YAML: `run`
---@param job string its name
---@param params? table its parameters
---@param opts? godwit.ChildOptions how
---@return any
function gw.child(job, params, opts) end

--- Executes a statement on the daemon's own database, committed in the transaction that records the step: never without it, never twice. Gives {rows, count}.
--- In YAML: `uses: sql.exec`
---@param statement string with $1, $2 for the values
---@param args? any[] the values
---@param opts? godwit.SqlOptions how it is done
---@return table
function gw.sql(statement, args, opts) end

--- Ends the run, and another run of the job goes on with these parameters: both in one transaction. For what never ends, such as a loop over days.
--- In YAML: `continue_as`
---@param params table of the next run
---@param result? any of this run
function gw.continue_as(params, result) end

--- Computes a value once; a later life of the run gets the recorded value. For work that costs more than a commit. No steps inside.
---@param name string of the step
---@param fn fun(): any computes it
---@return any
function gw.memo(name, fn) end

--- Writes rows to godwit.emitted, once, whatever happens to the run.
--- In YAML: `emit`
---@param topic string under which they are found
---@param rows table one row or a list of rows
function gw.emit(topic, rows) end

--- Ends the run with this result, from wherever it is called.
--- In YAML: `result`
---@param result? any the run's result
function gw.done(result) end

--- Raises an error, which fails the run unless gw.try catches it.
---@param code string short and stable; may be left out
---@param message? string a sentence
function gw.fail(code, message) end

--- Calls fn; gives true and its results, or false and {code, message, step}. Budgets and cancellation pass through.
---@param fn function what may fail
---@param ... any its arguments
---@return boolean, any
function gw.try(fn, ...) end

--- Keeps a text or bytes as an artifact, once by its content: one step. Gives {artifact = "sha256:...", size, name, media_type}, which may stand in results and arguments.
--- In YAML: `uses: artifact.put`
---@param name string for people: "report.csv"
---@param content string text or bytes, at most 16 MiB
---@param opts? godwit.ArtifactOptions its type
---@return table
function gw.artifact(name, content, opts) end

--- The content of an artifact, as text or bytes: one step.
--- In YAML: `uses: artifact.get`
---@param artifact string|table "sha256:...", or what gw.artifact or another step gave
---@param opts? godwit.ContentOptions how
---@return string
function gw.content(artifact, opts) end

--- Waits until it has the lock of this name, which no other run (or branch) has meanwhile. With a function: calls it and gives its results, and the lock is free when it has ended. Else the lock is free when the branch ends, or the run.
--- In YAML: `lock`
---@param name string of the lock, for all jobs: "tenant/acme"
---@param opts? godwit.LockOptions how many, and how long it is waited for; may be left out
---@param fn? (fun(): any) what is done with the lock
---@return any
function gw.lock(name, opts, fn) end

--- Calls fn for each item, `parallel` of them at once: a durable loop. Each item's steps are its own, so items may end in any order; results come in the order of the items. Of lists over 10,000 items finished ones are folded away, so that a restart costs only what is in flight.
--- In YAML: `foreach`
---@param name string of the loop; its items' steps are `name[0]`, `name[1]` ...
---@param list any[] the items
---@param opts? godwit.EachOptions how; may be left out
---@param fn fun(item: any, index: integer): any called with each item
---@return any
function gw.each(name, list, opts, fn) end

--- gw.each under the name it has elsewhere: gives the results in the order of the items.
--- In YAML: `foreach`
---@param name string of the loop; its items' steps are `name[0]`, `name[1]` ...
---@param list any[] the items
---@param opts? godwit.EachOptions how; may be left out
---@param fn fun(item: any, index: integer): any called with each item
---@return any[]
function gw.map(name, list, opts, fn) end

--- Works off a list that grows: fn(item, grow) may call grow(item) for items it found. Each key once. Gives the results in the order in which the items were found.
--- In YAML: `foreach: {grow: ...}`
---@param name string of the loop; its items' steps are `name[0]`, `name[1]` ...
---@param list any[] the items
---@param opts? godwit.FrontierOptions how; may be left out
---@param fn fun(item: any, grow: fun(item: any): boolean): any called with each item
---@return any[]
function gw.frontier(name, list, opts, fn) end

--- Runs functions at the same time and waits for all; gives their results under the same keys. The first error cancels the others.
--- In YAML: `stages without needs`
---@param name? string of the branches, "all" when left out
---@param fns table<any, function> the functions
---@return table
function gw.all(name, fns) end

--- Runs functions at the same time; gives the result of the first that succeeds and its key, and cancels the others.
---@param name? string of the branches, "first" when left out
---@param fns table<any, function> the functions
---@return any, any
function gw.first(name, fns) end

--- What a script gives: `return gw.job { name = ..., run = function(params) ... end }`.
--- In YAML: `the file`
---@param job godwit.Job the job
---@return godwit.Job
function gw.job(job) end

--- The time of the newest thing this branch of the run has seen (the end of its last step, or the submit), as RFC 3339 text and as seconds since 1970. The same in every life of the run.
---@return string, number
function gw.now() end

--- Like math.random; the same numbers in every life of the run, others in every run.
---@param m? integer 
---@param n? integer 
---@return number
function gw.random(m, n) end

--- A random UUID, the same in every life of the run.
---@return string
function gw.uuid() end

--- The days from one to the other, both included, as "2026-05-01".
--- In YAML: `dates() in ${}`
---@param from string 
---@param to string 
---@param step? integer days
---@return string[]
function gw.dates(from, to, step) end

--- The number of the run, as text.
--- In YAML: `run.id`
---@return string
function gw.run_id() end

--- Makes a table a list, so that it stays one in JSON even when it is empty.
--- In YAML: `array() in ${}`
---@param list? any[] 
---@return any[]
function gw.array(list) end

--- Fields that `godwit show` and followers see. Not durable; the newest counts.
---@param fields table {best_price = 120}
function gw.progress(fields) end

--- A line for `godwit logs`. gw.log(text) is of level info.
---@param level "debug"|"info"|"warning"|"error" may be left out
---@param text string 
---@param fields? table {code = 7}
function gw.log(level, text, fields) end

return gw
