#include "cli/commands.hpp"

#include "cli/command_line.hpp"

namespace godwit::cli {
namespace {

const Argument kRun{"RUN", "the number of a run, as submit printed it"};
const Argument kJob{"JOB", "the name of a job in the daemon's job folders"};
const Argument kSchedule{"NAME", "the name of a schedule"};
const Argument kJobOrFile{"JOB|FILE", "the name of a job, or a job file: what has a slash or ends in .yaml or .yml"};
const Option kFollow{"-f,--follow", "", "Shows progress and log lines until the end, then the result."};

}  // namespace

const std::vector<Option>& global_options() {
  static const std::vector<Option> options{
      {"--socket", "PATH", "The daemon's control socket (GODWIT_SOCKET; /run/godwit/control.sock or the user's own)."},
      {"--json", "", "Prints what the daemon gives as JSON, one document; when following, one event a line."},
      {"--no-color", "", "Prints without colours (as does the variable NO_COLOR)."},
      {"-q,--quiet", "", "Prints only what a script needs: numbers and names."},
      {"-h,--help", "", "Shows what the command does and takes."},
  };
  return options;
}

const std::vector<CommandInfo>& commands() {
  static const std::vector<CommandInfo> table{
      {"", "submit", "Submits a new run of a job and prints its number once it is safe on disk.", {kJobOrFile},
       {{"-p,--param", "K=V", "A parameter: V is JSON, or else text; K=@FILE takes it from a file; dots in K lead into objects.", true},
        {"--params", "FILE", "The parameters as a JSON object (- for standard input); -p changes single ones."},
        {"-k,--key", "KEY", "Submits once: a second submit of the job with this key gives the first one's run."},
        {"--only", "STAGES", "Runs these stages only, separated by commas; the others are skipped."},
        {"--stop-after", "STAGE", "Runs this stage and what it needs; the others are skipped."},
        {"-n,--count", "N", "Submits N runs with the same parameters."},
        {"-w,--wait", "", "Waits for the end and prints the result; exit code 1 when the run fails."},
        kFollow},
       submit},
      {"", "list", "Lists runs, newest first.", {},
       {{"-s,--state", "STATE", "Only runs in this state: queued, running, waiting, paused, blocked, succeeded, failed, cancelled."},
        {"-j,--job", "JOB", "Only runs of this job."},
        {"--label", "K=V", "Only runs with this label.", true},
        {"-l,--limit", "N", "How many at most (50)."},
        {"--before", "RUN", "Only runs older than this one: the next page."}},
       list},
      {"", "show", "Shows one run: state, progress, parameters, what is under way.", {kRun},
       {{"--steps", "", "Also its finished steps."},
        {"--output", "", "Also what each step gave."},
        {"-l,--limit", "N", "How many steps at most (100)."},
        {"--offset", "N", "How many steps to leave out from the first."}},
       show},
      {"", "logs", "Prints the log lines of a run.", {kRun}, {{"-f,--follow", "", "Goes on with new lines until the run ends."}}, logs},
      {"", "result", "Prints the result of a run; exit code 1 when it failed.", {kRun},
       {{"-w,--wait", "", "Waits for the end of a run that still goes on."}}, result},
      {"", "watch", "Shows progress and log lines of a run until its end, then its result.", {kRun}, {}, watch},
      {"", "why", "Says what keeps a run from going on.", {kRun}, {}, why},
      {"", "cancel", "Ends a run for good.", {kRun}, {}, cancel},
      {"", "pause", "Keeps a run from starting further steps.", {kRun}, {}, pause},
      {"", "resume", "Lets a paused run go on.", {kRun}, {}, resume},
      {"", "retry", "Lets a blocked run go on, or continues an ended one in a new run that keeps its finished steps.", {kRun},
       {{"--from", "STAGE", "Does this stage again, and what depends on it."},
        {"--set", "PATH=JSON", "Gives a step this output instead, or a parameter this value: params.NAME=JSON.", true},
        {"--skip", "STEP", "Takes a step as done, without an output.", true}}, retry},
      {"", "signal", "Sends a signal to a run; it is kept until a step takes it.",
       {kRun, {"NAME", "the name of the signal"}, {"JSON", "what the waiting step gets (null); what is no JSON is taken as text", false}}, {}, signal},
      {"", "approve", "Decides on a step that waits for approval; the decision is kept in the audit.",
       {kRun, {"STEP", "the path of the step, as `godwit why` shows it"}},
       {{"--reject", "", "Rejects it instead."}, {"-c,--comment", "TEXT", "Why; kept with the decision."}}, approve},
      {"job", "list", "Lists the jobs of the daemon's job folders.", {}, {}, job_list},
      {"job", "show", "Shows a job's parameters and stages.", {kJob}, {}, job_show},
      {"job", "validate", "Checks job files and prints every problem with its place.", {{"FILE", "a job file", true, true}}, {}, job_validate},
      {"job", "graph", "Draws the stages of a job and what they need.", {kJobOrFile},
       {{"--format", "FORMAT", "text (the default), dot for Graphviz, or svg, a picture."}}, job_graph},
      {"job", "test", "Tests jobs without a daemon and without a database; two days of sleep take no time.",
       {{"FILE", "a test file (*.test.yaml), a job file with its tests beside it, or a folder", true, true}},
       {{"--only", "TEXT", "Only tests with this in their name."},
        {"--crash-sweep", "", "Also crashes before and after every commit; the outcome must be the same, and no finished step called again."},
        {"--junit", "FILE", "Also writes the results there, for continuous integration."},
        {"--config", "FILE", "The daemon's settings file: its plugins, providers and limits hold."},
        {"--plugin-dir", "DIR", "A folder with plugins.", true}}, job_test},
      {"job", "convert", "Prints a YAML job as the Lua script that does the same.", {{"FILE", "a job file"}}, {}, job_convert},
      {"job", "schema", "Prints the JSON Schema of YAML jobs, for editors.", {}, {}, job_schema},
      {"lua", "stubs", "Prints what an editor with LuaLS needs to know of gw and of the installed plugins.", {},
       {{"--config", "FILE", "The daemon's settings file: its plugins hold."}, {"--plugin-dir", "DIR", "A folder with plugins.", true}}, lua_stubs},
      {"run", "migrate", "Lets a run go on with another version of its job, after showing what would differ.", {kRun},
       {{"--to", "VERSION", "The version's hash, or latest (the default): the one in the job folders."},
        {"--dry", "", "Only shows what would differ."}}, run_migrate},
      {"run", "export", "Prints what the steps of a run gave, for a test that plays them again.", {kRun}, {}, run_export},
      {"plugin", "list", "Lists the installed plugins.", {}, {}, plugin_list},
      {"plugin", "show", "Shows a plugin's methods, what it may do, what confines it, and the state of its processes.", {{"PLUGIN", "the plugin's id"}}, {}, plugin_show},
      {"plugin", "reset", "Lets a plugin start again that was stopped for its crashes.", {{"PLUGIN", "the plugin's id"}}, {}, plugin_reset},
      {"limit", "list", "Lists the named limits, who holds them and how many wait.", {}, {}, limit_list},
      {"limit", "set", "Sets how much a limit lets through, now and after restarts.", {{"NAME", "the limit's name"}, {"LIMIT", "permits to be had at once (4), or a rate (10/s, '600/m burst 20')"}}, {}, limit_set},
      {"schedule", "list", "Lists the schedules, when they fire next and what came of the last time.", {}, {}, schedule_list},
      {"schedule", "next", "Prints the instants at which a schedule, or any expression, fires next; for an expression it asks no daemon.",
       {{"NAME", "a schedule; or give an expression instead", false}},
       {{"--cron", "EXPR", "A cron expression of five fields, or six with seconds in front, or @daily and the like."},
        {"--calendar", "EXPR", "A calendar expression of systemd timers: Mon..Fri 02:30."},
        {"--every", "DURATION", "A constant interval: 15m, or 36h from 2026-01-01T00:00:00Z."},
        {"--at", "TIME", "One point of time: 2026-12-24T18:00:00Z, or 2026-12-24T18:00 by the zone's clock."},
        {"-z,--zone", "ZONE", "The time zone whose clock counts: Europe/Dublin (UTC)."},
        {"--clock-change", "RULE", "What becomes of times the clock skips or shows twice: run_once (the default), skip, both, shift."},
        {"--from", "TIME", "Fires after this instant (now)."},
        {"--to", "TIME", "Fires up to this instant, instead of a count."},
        {"-n,--count", "N", "How many (5)."},
        {"--local", "", "Prints in the zone's time instead of UTC."}},
       schedule_next},
      {"schedule", "fires", "Lists the fire times that have come, newest first, and what they led to.", {{"NAME", "only of this schedule", false}},
       {{"-l,--limit", "N", "How many at most (50)."}}, schedule_fires},
      {"schedule", "set", "Makes a schedule of a job, or changes one that was made so.", {kSchedule, kJob},
       {{"--cron", "EXPR", "A cron expression of five fields, or six with seconds in front, or @daily and the like."},
        {"--calendar", "EXPR", "A calendar expression of systemd timers: Mon..Fri 02:30."},
        {"--every", "DURATION", "A constant interval: 15m, or 36h from 2026-01-01T00:00:00Z."},
        {"--at", "TIME", "One point of time: 2026-12-24T18:00:00Z, or 2026-12-24T18:00 by the zone's clock."},
        {"-z,--zone", "ZONE", "The time zone whose clock counts: Europe/Dublin (UTC)."},
        {"--clock-change", "RULE", "What becomes of times the clock skips or shows twice: run_once (the default), skip, both, shift."},
        {"--missed", "RULE", "What becomes of fire times while no daemon was there: last (the default), none, all."},
        {"--missed-within", "DURATION", "What was missed longer ago is not made up for (24h)."},
        {"--overlap", "RULE", "What happens while an earlier run of it has not ended: skip (the default), queue, cancel_older, allow."},
        {"--jitter", "DURATION", "Fires later by a part of this that the schedule's name decides."},
        {"-p,--param", "K=V", "A parameter of the job, as with submit.", true}},
       schedule_set},
      {"schedule", "remove", "Removes a schedule that was made with set.", {kSchedule}, {}, schedule_remove},
      {"schedule", "pause", "Lets a schedule lead to no runs until it is resumed.", {kSchedule}, {}, schedule_pause},
      {"schedule", "resume", "Lets a paused schedule fire again.", {kSchedule}, {}, schedule_resume},
      {"schedule", "trigger", "Submits a run of a schedule now and prints its number.", {kSchedule}, {}, schedule_trigger},
      {"schedule", "backfill", "Submits a run for each past fire time that led to none, and prints their numbers.", {kSchedule},
       {{"--from", "TIME", "Fire times after this instant."}, {"--to", "TIME", "Up to this instant (now)."}}, schedule_backfill},
      {"", "audit", "Lists what people changed, newest first.", {}, {{"-l,--limit", "N", "How many at most (100)."}}, audit},
      {"", "status", "Says how the daemon, its database and its queues are.", {}, {}, status},
      {"", "reload", "Lets the daemon read its job and plugin folders again; running calls end in the plugin they began in.", {}, {}, reload},
      {"", "ping", "Asks whether the daemon answers, and how fast.", {}, {}, ping},
      {"", "completion", "Prints a script that completes commands in a shell.", {{"SHELL", "bash"}}, {}, completion},
      {"", "help", "Shows help on a command.", {{"COMMAND", "the command", false, true}}, {{"--man", "", "Prints the manual page (troff)."}}, help},
  };
  return table;
}

}  // namespace godwit::cli
