#include "store/schema.hpp"

#include <array>

#include "store/schema_nodes.hpp"

namespace godwit::store {
namespace {

// Rows of the hot tables are inserted and never changed, so their pages are filled to the brim, and autovacuum is woken
// by inserts in large steps: its only work there is the visibility map. Paths are compared byte by byte ("C"), which is
// faster and the same on every machine. No foreign keys: the journal writes parent and child in one transaction, and a
// check per row would cost a lock on the parent.
constexpr std::string_view kTables = R"sql(
CREATE TABLE godwit.store_identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now());
INSERT INTO godwit.store_identity (id) VALUES (substr(replace(gen_random_uuid()::text, '-', ''), 1, 12));

CREATE SEQUENCE godwit.epoch AS bigint;
CREATE SEQUENCE godwit.run_number AS bigint;

-- A node's epoch is the right to write: each transaction of the journal locks this row and compares.
CREATE TABLE godwit.node (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  epoch bigint NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 50);

CREATE TABLE godwit.job_version (
  version text COLLATE "C" PRIMARY KEY,
  job text COLLATE "C" NOT NULL,
  file text NOT NULL,
  text text NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE godwit.run (
  id bigint PRIMARY KEY,
  node integer NOT NULL,
  number bigint NOT NULL,
  retry_of bigint,
  submitted_at timestamptz NOT NULL,
  job text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  submitted_by text NOT NULL,
  key text,
  params text NOT NULL,
  pins text NOT NULL) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000);
-- The order in which a node's runs were committed; see open_run.
CREATE INDEX run_by_number ON godwit.run (node, number);

CREATE TABLE godwit.run_key (
  job text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  run bigint NOT NULL UNIQUE,
  PRIMARY KEY (job, key)) WITH (fillfactor = 100);

CREATE TABLE godwit.run_done (
  run bigint PRIMARY KEY,
  finished_at timestamptz NOT NULL,
  state smallint NOT NULL,
  result text,
  failure text,
  failed_path text) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000);
CREATE INDEX run_done_unsuccessful ON godwit.run_done (state, run) WHERE state <> 5;

-- The runs of a node that had not ended when their facts were last folded: whatever was committed up to fold.number is either here or done.
-- Recovery reads these and the few runs committed since, however many have ended.
CREATE TABLE godwit.open_run (
  node integer NOT NULL,
  run bigint NOT NULL,
  PRIMARY KEY (node, run)) WITH (fillfactor = 100);
CREATE TABLE godwit.fold (
  node integer PRIMARY KEY,
  number bigint NOT NULL) WITH (fillfactor = 50);

CREATE TABLE godwit.run_change (
  run bigint NOT NULL,
  number bigint NOT NULL,
  at timestamptz NOT NULL,
  change smallint NOT NULL,
  who text NOT NULL,
  detail text NOT NULL,
  path text NOT NULL,
  PRIMARY KEY (run, number)) WITH (fillfactor = 100);

CREATE TABLE godwit.step (
  run bigint NOT NULL,
  args_hash bigint NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  attempt integer NOT NULL,
  state smallint NOT NULL,
  path text COLLATE "C" NOT NULL,
  output text,
  failure text,
  PRIMARY KEY (run, path)) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_threshold = 100000);

CREATE TABLE godwit.attempt (
  run bigint NOT NULL,
  at timestamptz NOT NULL,
  next_at timestamptz,
  attempt integer NOT NULL,
  phase smallint NOT NULL,
  path text COLLATE "C" NOT NULL,
  failure text,
  PRIMARY KEY (run, path, attempt, phase)) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000);

CREATE TABLE godwit.checkpoint (
  run bigint NOT NULL,
  number bigint NOT NULL,
  path text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (run, path, key)) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE godwit.emitted_row (
  run bigint NOT NULL,
  number bigint NOT NULL,
  emitted_at timestamptz NOT NULL,
  ordinal integer NOT NULL,
  path text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  row text NOT NULL,
  PRIMARY KEY (run, path, ordinal)) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000);
CREATE INDEX emitted_row_by_topic ON godwit.emitted_row (topic, number);

CREATE TABLE godwit.progress (
  run bigint PRIMARY KEY,
  number bigint NOT NULL,
  progress text NOT NULL) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE godwit.log (
  run bigint NOT NULL,
  number bigint NOT NULL,
  at timestamptz NOT NULL,
  level smallint NOT NULL,
  path text COLLATE "C" NOT NULL,
  stream text NOT NULL,
  line text NOT NULL,
  fields text,
  PRIMARY KEY (run, number)) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000);

CREATE TABLE godwit.limit_setting (
  name text COLLATE "C" PRIMARY KEY,
  number bigint NOT NULL,
  permits integer NOT NULL);

CREATE TABLE godwit.audit (
  number bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  uid bigint NOT NULL,
  who text NOT NULL,
  command text NOT NULL,
  target text NOT NULL,
  detail text NOT NULL) WITH (fillfactor = 100);

-- Submits by SQL wait here until a node has checked and taken them.
CREATE TABLE godwit.inbox (
  run bigint PRIMARY KEY,
  job text COLLATE "C" NOT NULL,
  params text NOT NULL,
  key text COLLATE "C",
  submitted_by text NOT NULL,
  submitted_at timestamptz NOT NULL DEFAULT now()) WITH (autovacuum_vacuum_scale_factor = 0.02);
)sql";

// Three forms of submit, so that json, jsonb and a plain literal all find one without a cast; the literal takes the
// form with text.
constexpr std::string_view kSubmit = R"sql(
CREATE FUNCTION godwit.submit(job text, params text DEFAULT '{}', key text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  taken bigint;
  fresh bigint;
BEGIN
  IF job IS NULL OR job = '' THEN
    RAISE EXCEPTION 'godwit.submit: the name of the job is missing' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF json_typeof(coalesce(params, '{}')::json) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION 'godwit.submit: the parameters of job % must be a JSON object', job USING ERRCODE = 'invalid_parameter_value';
  END IF;
  fresh := nextval('godwit.run_number');
  IF key IS NOT NULL AND key <> '' THEN
    INSERT INTO godwit.run_key AS k (job, key, run) VALUES (job, key, fresh) ON CONFLICT ON CONSTRAINT run_key_pkey DO NOTHING;
    IF NOT FOUND THEN
      SELECT k.run INTO taken FROM godwit.run_key k WHERE k.job = job AND k.key = key;
      IF taken IS NULL THEN
        RAISE EXCEPTION 'godwit.submit: key % of job % was taken by a transaction that this one cannot see', key, job
          USING ERRCODE = 'serialization_failure', HINT = 'Repeat the transaction.';
      END IF;
      RETURN taken;
    END IF;
  END IF;
  INSERT INTO godwit.inbox (run, job, params, key, submitted_by)
  VALUES (fresh, job, coalesce(params, '{}'), nullif(key, ''), session_user);
  PERFORM pg_notify('godwit_inbox', '');
  RETURN fresh;
END $$;
CREATE FUNCTION godwit.submit(job text, params jsonb, key text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
  $$ SELECT godwit.submit(job, params::text, key) $$;
CREATE FUNCTION godwit.submit(job text, params json, key text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
  $$ SELECT godwit.submit(job, params::text, key) $$;
COMMENT ON FUNCTION godwit.submit(text, text, text) IS
  'Submits a run of a job in the caller''s own transaction and returns its number: the run exists when the transaction commits, and is taken up at once then. With a key that the job has seen already, returns the number of the run that has it. Parameters are checked by the daemon; a run with wrong ones fails and says so.';
COMMENT ON FUNCTION godwit.submit(text, jsonb, text) IS 'The same with the parameters as jsonb.';
COMMENT ON FUNCTION godwit.submit(text, json, text) IS 'The same with the parameters as json.';
)sql";

constexpr std::string_view kViews = R"sql(
CREATE VIEW godwit.runs AS
SELECT r.id AS run, r.job, r.version,
  CASE WHEN d.run IS NOT NULL THEN (ARRAY['queued', 'running', 'waiting', 'paused', 'blocked', 'succeeded', 'failed', 'cancelled'])[d.state + 1]
       WHEN c.blocked THEN 'blocked'
       WHEN c.paused THEN 'paused'
       WHEN p.run IS NOT NULL OR EXISTS (SELECT FROM godwit.step s WHERE s.run = r.id)
            OR EXISTS (SELECT FROM godwit.attempt a WHERE a.run = r.id) THEN 'running'
       ELSE 'queued' END AS state,
  coalesce(c.cancel_requested, false) AS cancel_requested, r.params::json AS params, r.key, r.submitted_by, r.submitted_at, d.finished_at,
  p.progress::json AS progress, d.failure::json AS error, d.failed_path AS failed_step, r.retry_of, r.pins::json AS pins, n.name AS node
FROM godwit.run r
LEFT JOIN godwit.node n ON n.id = r.node
LEFT JOIN godwit.run_done d ON d.run = r.id
LEFT JOIN godwit.progress p ON p.run = r.id
LEFT JOIN LATERAL (
  SELECT (array_agg(change ORDER BY number DESC) FILTER (WHERE change IN (0, 1)))[1] = 0 AS paused,
         (array_agg(change ORDER BY number DESC) FILTER (WHERE change IN (2, 3)))[1] = 2 AS blocked,
         bool_or(change = 4) AS cancel_requested
  FROM godwit.run_change WHERE run_change.run = r.id) c ON d.run IS NULL
UNION ALL
SELECT i.run, i.job, NULL, 'queued', false, i.params::json, i.key, i.submitted_by, i.submitted_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM godwit.inbox i;
COMMENT ON VIEW godwit.runs IS 'All runs, one row each. Fast for one run; select by run.';
COMMENT ON COLUMN godwit.runs.run IS 'Number of the run; what godwit.submit returned.';
COMMENT ON COLUMN godwit.runs.job IS 'Name of the job.';
COMMENT ON COLUMN godwit.runs.version IS 'SHA-256 of the job file this run executes; null until the run was taken up.';
COMMENT ON COLUMN godwit.runs.state IS 'queued, running, paused, blocked (needs a person), succeeded, failed or cancelled. The last three are final. Waiting for a limit or a retry shows as running; ask the daemon with `godwit why`.';
COMMENT ON COLUMN godwit.runs.cancel_requested IS 'Somebody asked for an end that has not come yet.';
COMMENT ON COLUMN godwit.runs.params IS 'Parameters with defaults filled in.';
COMMENT ON COLUMN godwit.runs.key IS 'Idempotency key of the submit, unique within the job; null for none.';
COMMENT ON COLUMN godwit.runs.submitted_by IS 'User who submitted the run: of the operating system, or of the database for godwit.submit.';
COMMENT ON COLUMN godwit.runs.submitted_at IS 'When the run was submitted.';
COMMENT ON COLUMN godwit.runs.finished_at IS 'When the run ended; null before.';
COMMENT ON COLUMN godwit.runs.progress IS 'What the run last said of its progress, up to a second old.';
COMMENT ON COLUMN godwit.runs.error IS 'Why a failed run failed: {"code", "message", "retryable"}.';
COMMENT ON COLUMN godwit.runs.failed_step IS 'Path of the step whose failure ended the run.';
COMMENT ON COLUMN godwit.runs.retry_of IS 'The run whose finished steps this one took over.';
COMMENT ON COLUMN godwit.runs.pins IS 'The plugin and version each `uses` of the job meant at the submit.';
COMMENT ON COLUMN godwit.runs.node IS 'Name of the node that has the run; null until it was taken up.';

CREATE VIEW godwit.steps AS
SELECT s.run, s.path, (ARRAY['succeeded', 'failed', 'skipped'])[s.state + 1] AS state, s.attempt, s.output::json AS output,
  s.failure::json AS error, s.started_at, s.finished_at
FROM godwit.step s;
COMMENT ON VIEW godwit.steps IS 'The finished steps of all runs.';
COMMENT ON COLUMN godwit.steps.run IS 'Number of the run.';
COMMENT ON COLUMN godwit.steps.path IS 'Path of the step within the run: search[12].';
COMMENT ON COLUMN godwit.steps.state IS 'succeeded, failed or skipped.';
COMMENT ON COLUMN godwit.steps.attempt IS 'The attempt that settled it, counted from 1.';
COMMENT ON COLUMN godwit.steps.output IS 'What the step gave; null unless it succeeded.';
COMMENT ON COLUMN godwit.steps.error IS 'Why it failed or was skipped: {"code", "message", "retryable"}.';
COMMENT ON COLUMN godwit.steps.started_at IS 'When the attempt that settled it began.';
COMMENT ON COLUMN godwit.steps.finished_at IS 'When it was settled.';

CREATE VIEW godwit.results AS
SELECT d.run, r.job, r.key, (ARRAY['queued', 'running', 'waiting', 'paused', 'blocked', 'succeeded', 'failed', 'cancelled'])[d.state + 1] AS state,
  d.result::json AS result, d.failure::json AS error, d.finished_at
FROM godwit.run_done d JOIN godwit.run r ON r.id = d.run;
COMMENT ON VIEW godwit.results IS 'The runs that have ended, with their results.';
COMMENT ON COLUMN godwit.results.run IS 'Number of the run.';
COMMENT ON COLUMN godwit.results.job IS 'Name of the job.';
COMMENT ON COLUMN godwit.results.key IS 'Idempotency key of the submit; null for none.';
COMMENT ON COLUMN godwit.results.state IS 'succeeded, failed or cancelled.';
COMMENT ON COLUMN godwit.results.result IS 'What the run gave; null unless it succeeded.';
COMMENT ON COLUMN godwit.results.error IS 'Why it did not succeed: {"code", "message", "retryable"}.';
COMMENT ON COLUMN godwit.results.finished_at IS 'When the run ended.';

CREATE VIEW godwit.emitted AS
SELECT e.number AS seq, e.topic, e.run, r.job, e.path, e.ordinal, e.row::json AS row, e.emitted_at
FROM godwit.emitted_row e JOIN godwit.run r ON r.id = e.run;
COMMENT ON VIEW godwit.emitted IS 'Rows that steps wrote, each in the transaction that recorded its step.';
COMMENT ON COLUMN godwit.emitted.seq IS 'Grows in the order of commit of one node: a reader of a topic goes on from the greatest it has seen.';
COMMENT ON COLUMN godwit.emitted.topic IS 'The `to` of the job''s emit.';
COMMENT ON COLUMN godwit.emitted.run IS 'Number of the run.';
COMMENT ON COLUMN godwit.emitted.job IS 'Name of the job.';
COMMENT ON COLUMN godwit.emitted.path IS 'Path of the step that wrote the row.';
COMMENT ON COLUMN godwit.emitted.ordinal IS 'Position among the rows of the step, from 0.';
COMMENT ON COLUMN godwit.emitted.row IS 'The row.';
COMMENT ON COLUMN godwit.emitted.emitted_at IS 'When the step finished.';
)sql";

// Both sides of a mismatch between what is recorded and what was asked for.
constexpr std::string_view kSides = R"sql(
ALTER TABLE godwit.run_change ADD COLUMN sides text;
)sql";

// What lets steps wait: for a time, a signal, an approval or another run.
constexpr std::string_view kWaits = R"sql(
ALTER TABLE godwit.run ADD COLUMN parent bigint, ADD COLUMN parent_path text COLLATE "C", ADD COLUMN options text;
CREATE INDEX run_by_parent ON godwit.run (parent) WHERE parent IS NOT NULL;

CREATE TABLE godwit.wait (
  run bigint NOT NULL,
  at timestamptz NOT NULL,
  until timestamptz,
  child bigint,
  kind smallint NOT NULL,
  path text COLLATE "C" NOT NULL,
  name text COLLATE "C",
  detail text,
  PRIMARY KEY (run, path)) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000);

CREATE TABLE godwit.signal (
  run bigint NOT NULL,
  number bigint NOT NULL,
  at timestamptz NOT NULL,
  name text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  who text NOT NULL,
  PRIMARY KEY (run, number)) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- The runs that are in no node's memory until something comes for them. One row a run, replaced while the run lives.
CREATE TABLE godwit.rest (
  run bigint PRIMARY KEY,
  number bigint NOT NULL,
  wake_at timestamptz,
  node integer NOT NULL,
  resting smallint NOT NULL) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE godwit.cursor (
  run bigint NOT NULL,
  number bigint NOT NULL,
  path text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (run, path)) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- Signals by SQL wait here until the run's node has taken them.
CREATE TABLE godwit.signal_inbox (
  number bigint PRIMARY KEY,
  run bigint NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now(),
  name text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  sent_by text NOT NULL) WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE FUNCTION godwit.signal(run bigint, name text, payload text DEFAULT 'null') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
  IF name IS NULL OR name = '' THEN
    RAISE EXCEPTION 'godwit.signal: the name of the signal is missing' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT EXISTS (SELECT FROM godwit.run r WHERE r.id = run) AND NOT EXISTS (SELECT FROM godwit.inbox i WHERE i.run = run) THEN
    RAISE EXCEPTION 'godwit.signal: there is no run %', run USING ERRCODE = 'no_data_found';
  END IF;
  IF EXISTS (SELECT FROM godwit.run_done d WHERE d.run = run) THEN
    RAISE EXCEPTION 'godwit.signal: run % has already ended', run USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  INSERT INTO godwit.signal_inbox (number, run, name, payload, sent_by)
  VALUES (nextval('godwit.run_number'), run, name, coalesce(payload, 'null')::json::text, session_user);
  PERFORM pg_notify('godwit_inbox', '');
END $$;
CREATE FUNCTION godwit.signal(run bigint, name text, payload jsonb) RETURNS void LANGUAGE sql AS
  $$ SELECT godwit.signal(run, name, payload::text) $$;
CREATE FUNCTION godwit.signal(run bigint, name text, payload json) RETURNS void LANGUAGE sql AS
  $$ SELECT godwit.signal(run, name, payload::text) $$;
COMMENT ON FUNCTION godwit.signal(bigint, text, text) IS
  'Sends a signal to a run in the caller''s own transaction. The run''s next wait_signal of this name takes it; a signal that comes before its wait is kept.';
COMMENT ON FUNCTION godwit.signal(bigint, text, jsonb) IS 'The same with the payload as jsonb.';
COMMENT ON FUNCTION godwit.signal(bigint, text, json) IS 'The same with the payload as json.';

CREATE OR REPLACE VIEW godwit.runs AS
SELECT r.id AS run, r.job, r.version,
  CASE WHEN d.run IS NOT NULL THEN (ARRAY['queued', 'running', 'waiting', 'paused', 'blocked', 'succeeded', 'failed', 'cancelled'])[d.state + 1]
       WHEN c.blocked THEN 'blocked'
       WHEN c.paused THEN 'paused'
       WHEN t.resting = 1 THEN 'waiting'
       WHEN p.run IS NOT NULL OR EXISTS (SELECT FROM godwit.step s WHERE s.run = r.id)
            OR EXISTS (SELECT FROM godwit.attempt a WHERE a.run = r.id) THEN 'running'
       ELSE 'queued' END AS state,
  coalesce(c.cancel_requested, false) AS cancel_requested, r.params::json AS params, r.key, r.submitted_by, r.submitted_at, d.finished_at,
  p.progress::json AS progress, d.failure::json AS error, d.failed_path AS failed_step, r.retry_of, r.pins::json AS pins, n.name AS node,
  r.parent, r.parent_path, r.options::json AS options
FROM godwit.run r
LEFT JOIN godwit.node n ON n.id = r.node
LEFT JOIN godwit.run_done d ON d.run = r.id
LEFT JOIN godwit.progress p ON p.run = r.id
LEFT JOIN godwit.rest t ON t.run = r.id AND d.run IS NULL
LEFT JOIN LATERAL (
  SELECT (array_agg(change ORDER BY number DESC) FILTER (WHERE change IN (0, 1)))[1] = 0 AS paused,
         (array_agg(change ORDER BY number DESC) FILTER (WHERE change IN (2, 3)))[1] = 2 AS blocked,
         bool_or(change = 4) AS cancel_requested
  FROM godwit.run_change WHERE run_change.run = r.id) c ON d.run IS NULL
UNION ALL
SELECT i.run, i.job, NULL, 'queued', false, i.params::json, i.key, i.submitted_by, i.submitted_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL
FROM godwit.inbox i;
COMMENT ON COLUMN godwit.runs.parent IS 'The run whose step this run is; null for most.';
COMMENT ON COLUMN godwit.runs.parent_path IS 'Path of that step.';
COMMENT ON COLUMN godwit.runs.options IS 'Labels, priority, queue and what else was decided at the submit; null for none.';

CREATE VIEW godwit.waits AS
SELECT w.run, w.path, (ARRAY['sleep', 'signal', 'approval', 'child'])[w.kind + 1] AS kind, w.at AS since, w.until, w.name, w.child,
  w.detail::json AS detail
FROM godwit.wait w WHERE NOT EXISTS (SELECT FROM godwit.step s WHERE s.run = w.run AND s.path = w.path)
  AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = w.run);
COMMENT ON VIEW godwit.waits IS 'What unfinished runs wait for.';
COMMENT ON COLUMN godwit.waits.run IS 'Number of the run.';
COMMENT ON COLUMN godwit.waits.path IS 'Path of the step that waits.';
COMMENT ON COLUMN godwit.waits.kind IS 'sleep, signal, approval or child.';
COMMENT ON COLUMN godwit.waits.since IS 'When it began to wait.';
COMMENT ON COLUMN godwit.waits.until IS 'When it ends by itself; null for never.';
COMMENT ON COLUMN godwit.waits.name IS 'Name of the signal.';
COMMENT ON COLUMN godwit.waits.child IS 'Number of the run that is waited for.';
COMMENT ON COLUMN godwit.waits.detail IS 'What is to be approved, and who may.';
)sql";

// A fire time of a schedule leads to at most one run, whichever node is the first to write it: the primary key decides, in
// the transaction of the submit. A fire that led to none says why in the other table.
constexpr std::string_view kSchedules = R"sql(
CREATE TABLE godwit.schedule (
  name text COLLATE "C" PRIMARY KEY,
  number bigint NOT NULL,
  made_by smallint NOT NULL,
  definition text NOT NULL,
  paused boolean NOT NULL,
  removed boolean NOT NULL,
  since timestamptz NOT NULL);

CREATE TABLE godwit.fire (
  schedule text COLLATE "C" NOT NULL,
  instant timestamptz NOT NULL,
  run bigint NOT NULL UNIQUE,
  PRIMARY KEY (schedule, instant)) WITH (fillfactor = 100);
CREATE TABLE godwit.fire_skipped (
  schedule text COLLATE "C" NOT NULL,
  instant timestamptz NOT NULL,
  why text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (schedule, instant)) WITH (fillfactor = 100);

CREATE VIEW godwit.schedules AS
SELECT s.name AS schedule, s.definition::json ->> 'job' AS job, (ARRAY['job', 'operator'])[s.made_by + 1] AS made_by, s.paused,
  s.definition::json AS definition, s.since,
  (SELECT max(f.instant) FROM godwit.fire f WHERE f.schedule = s.name) AS last_fire
FROM godwit.schedule s WHERE NOT s.removed;
COMMENT ON VIEW godwit.schedules IS 'When which jobs run by themselves.';
COMMENT ON COLUMN godwit.schedules.schedule IS 'Name of the schedule.';
COMMENT ON COLUMN godwit.schedules.job IS 'Name of the job it submits.';
COMMENT ON COLUMN godwit.schedules.made_by IS 'job (it stands in the job file) or operator.';
COMMENT ON COLUMN godwit.schedules.paused IS 'It leads to no runs until somebody resumes it.';
COMMENT ON COLUMN godwit.schedules.definition IS 'When it fires and how: {"cron"|"calendar"|"every"|"at", "zone", "clock_change", "missed", "missed_within", "overlap", "jitter", "params"}.';
COMMENT ON COLUMN godwit.schedules.since IS 'It fires after this instant: when it was made or last changed.';
COMMENT ON COLUMN godwit.schedules.last_fire IS 'The last fire time that led to a run.';

CREATE VIEW godwit.fires AS
SELECT f.schedule, f.instant, f.run, NULL::text AS why, r.submitted_at AS at FROM godwit.fire f LEFT JOIN godwit.run r ON r.id = f.run
UNION ALL
SELECT k.schedule, k.instant, NULL, k.why, k.at FROM godwit.fire_skipped k;
COMMENT ON VIEW godwit.fires IS 'The fire times of all schedules that have come, and what they led to.';
COMMENT ON COLUMN godwit.fires.schedule IS 'Name of the schedule.';
COMMENT ON COLUMN godwit.fires.instant IS 'The fire time, as the expression gives it.';
COMMENT ON COLUMN godwit.fires.run IS 'Number of the run it led to; null when it led to none.';
COMMENT ON COLUMN godwit.fires.why IS 'Why it led to no run.';
COMMENT ON COLUMN godwit.fires.at IS 'When that was done or decided.';
)sql";

// Keys of runs that have not ended, of jobs that want one run for each.
constexpr std::string_view kUnique = R"sql(
CREATE TABLE godwit.run_unique (
  job text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  run bigint NOT NULL UNIQUE,
  PRIMARY KEY (job, key));

-- Ended runs that are to be deleted, and when.
CREATE TABLE godwit.expiry (
  run bigint PRIMARY KEY,
  at timestamptz NOT NULL);
CREATE INDEX expiry_by_time ON godwit.expiry (at);
)sql";

// A limit is permits or a rate; the text says which.
constexpr std::string_view kRates = R"sql(
ALTER TABLE godwit.limit_setting ADD COLUMN spec text;
UPDATE godwit.limit_setting SET spec = permits::text;
ALTER TABLE godwit.limit_setting ALTER COLUMN spec SET NOT NULL, DROP COLUMN permits;
)sql";

constexpr std::string_view kArtifacts = R"sql(
CREATE TABLE godwit.artifact (
  run bigint NOT NULL,
  number bigint NOT NULL,
  size bigint NOT NULL,
  stored_at timestamptz NOT NULL,
  path text COLLATE "C" NOT NULL,
  sha256 text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  media_type text NOT NULL,
  PRIMARY KEY (run, path, sha256, name)) WITH (fillfactor = 100, autovacuum_vacuum_insert_threshold = 100000);
CREATE INDEX artifact_by_number ON godwit.artifact (number);

CREATE VIEW godwit.artifacts AS
SELECT 'sha256:' || a.sha256 AS artifact, a.name, a.media_type, a.size, a.run, r.job, a.path, a.stored_at
FROM godwit.artifact a LEFT JOIN godwit.run r ON r.id = a.run;
COMMENT ON VIEW godwit.artifacts IS 'Files that steps made. The bytes are in the state directory of the node that ran the step; `godwit artifact get` gives them.';
COMMENT ON COLUMN godwit.artifacts.artifact IS 'Name of the content: sha256: and 64 hexadecimal digits.';
COMMENT ON COLUMN godwit.artifacts.name IS 'Name for people: report.pdf.';
COMMENT ON COLUMN godwit.artifacts.media_type IS 'Media type, as application/pdf.';
COMMENT ON COLUMN godwit.artifacts.size IS 'Bytes.';
COMMENT ON COLUMN godwit.artifacts.run IS 'Number of the run that made it.';
COMMENT ON COLUMN godwit.artifacts.job IS 'Name of the job.';
COMMENT ON COLUMN godwit.artifacts.path IS 'Path of the step that made it.';
COMMENT ON COLUMN godwit.artifacts.stored_at IS 'When it was stored, whatever became of the step.';
)sql";

// Who has a named lock, and who waits for it, in the order of `number`. A run's turn under its `concurrency` key has an
// empty path.
constexpr std::string_view kLocks = R"sql(
CREATE TABLE godwit.lock (
  run bigint NOT NULL,
  path text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  permits integer NOT NULL,
  granted boolean NOT NULL,
  number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL,
  PRIMARY KEY (run, path));
CREATE INDEX lock_by_name ON godwit.lock (name, granted, number);
CREATE INDEX lock_waiting ON godwit.lock (name) WHERE NOT granted;

CREATE VIEW godwit.locks AS
SELECT l.name AS lock, l.run, r.job, l.path, l.granted, l.permits, l.at
FROM godwit.lock l LEFT JOIN godwit.run r ON r.id = l.run;
COMMENT ON VIEW godwit.locks IS 'Named locks of runs: who has them, and who waits.';
COMMENT ON COLUMN godwit.locks.lock IS 'Name of the lock; "job NAME KEY" for the turns of runs of a job with `concurrency`.';
COMMENT ON COLUMN godwit.locks.run IS 'Number of the run.';
COMMENT ON COLUMN godwit.locks.job IS 'Name of its job.';
COMMENT ON COLUMN godwit.locks.path IS 'Path of the step that asked for it; empty for the turn of the run itself.';
COMMENT ON COLUMN godwit.locks.granted IS 'Whether it has the lock; else it waits.';
COMMENT ON COLUMN godwit.locks.permits IS 'How many may have it at once.';
COMMENT ON COLUMN godwit.locks.at IS 'When it asked.';
)sql";

// Queues that are paused, and which runs wait by their queue and priority: see engine/rank.hpp.
constexpr std::string_view kQueues = R"sql(
CREATE TABLE godwit.queue_setting (
  name text COLLATE "C" PRIMARY KEY,
  number bigint NOT NULL,
  paused boolean NOT NULL,
  who text NOT NULL,
  at timestamptz NOT NULL);

CREATE FUNCTION godwit.is_ranked(options text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT options IS NOT NULL AND (options::json -> 'queue' IS NOT NULL OR options::json -> 'priority' IS NOT NULL
    OR options::json -> 'turn' IS NOT NULL)
$$;
)sql";

// Large outputs are artifacts too, whose bytes are the step's.
constexpr std::string_view kOutputs = R"sql(
ALTER TABLE godwit.artifact ADD COLUMN in_step smallint NOT NULL DEFAULT 0;
CREATE INDEX artifact_by_content ON godwit.artifact (sha256);
CREATE OR REPLACE VIEW godwit.artifacts AS
SELECT 'sha256:' || a.sha256 AS artifact, a.name, a.media_type, a.size, a.run, r.job, a.path, a.stored_at
FROM godwit.artifact a LEFT JOIN godwit.run r ON r.id = a.run
WHERE a.in_step = 0 OR EXISTS (SELECT FROM godwit.step s WHERE s.run = a.run AND s.path = a.path);
COMMENT ON VIEW godwit.artifacts IS 'Files that steps made, and the outputs of more than 256 KiB, which godwit.steps has whole. The bytes of files are in the state directory of the node that ran the step; `godwit artifact get` gives both.';
)sql";

// One record for each fire time: its key decides between nodes that differ about it.
constexpr std::string_view kOneRecordPerFire = R"sql(
ALTER TABLE godwit.fire ALTER COLUMN run DROP NOT NULL, ADD COLUMN why text, ADD COLUMN at timestamptz,
  ADD CHECK ((run IS NULL) = (why IS NOT NULL));
INSERT INTO godwit.fire (schedule, instant, why, at) SELECT schedule, instant, why, at FROM godwit.fire_skipped ON CONFLICT DO NOTHING;
CREATE INDEX fire_with_run ON godwit.fire (schedule, instant) WHERE run IS NOT NULL;

CREATE OR REPLACE VIEW godwit.fires AS
SELECT f.schedule, f.instant, f.run, f.why, coalesce(f.at, r.submitted_at) AS at FROM godwit.fire f LEFT JOIN godwit.run r ON r.id = f.run;
CREATE OR REPLACE VIEW godwit.schedules AS
SELECT s.name AS schedule, s.definition::json ->> 'job' AS job, (ARRAY['job', 'operator'])[s.made_by + 1] AS made_by, s.paused,
  s.definition::json AS definition, s.since,
  (SELECT max(f.instant) FROM godwit.fire f WHERE f.schedule = s.name AND f.run IS NOT NULL) AS last_fire
FROM godwit.schedule s WHERE NOT s.removed;
DROP TABLE godwit.fire_skipped;

CREATE FUNCTION godwit.refuse_fire(taken bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'run % is for this fire time', taken USING ERRCODE = 'unique_violation';
END $$;
)sql";

// The line of the script that asked for a step, for people who compare it with what another version asks for.
constexpr std::string_view kLines = "ALTER TABLE godwit.step ADD COLUMN line text;";

// The block of numbers with which the node took the run; see kTables.
constexpr std::string_view kTakenWith = "ALTER TABLE godwit.open_run ADD COLUMN block bigint NOT NULL DEFAULT 0;";

// A submit by SQL is held to what one through the control socket is held to, and a key that is given is one: an empty
// one comes from a variable that is not set, and would make an application submit again what it has submitted. A
// decision on a step is none of a signal's: who may decide is known to the daemon.
constexpr std::string_view kSqlBounds = R"sql(
CREATE OR REPLACE FUNCTION godwit.submit(job text, params text DEFAULT '{}', key text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  longest CONSTANT integer := 4194304;
  taken bigint;
  fresh bigint;
BEGIN
  IF job IS NULL OR job = '' THEN
    RAISE EXCEPTION 'godwit.submit: the name of the job is missing' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF octet_length(params) > longest THEN
    RAISE EXCEPTION 'godwit.submit: the parameters of job % have % bytes, and at most % (4 MiB) are taken', job, octet_length(params), longest
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Store what is large in a table or a file, and pass where it is.';
  END IF;
  IF json_typeof(coalesce(params, '{}')::json) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION 'godwit.submit: the parameters of job % must be a JSON object', job USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF key = '' THEN
    RAISE EXCEPTION 'godwit.submit: the key for job % is empty', job
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give NULL, or no key, for a run that may be submitted again.';
  END IF;
  fresh := nextval('godwit.run_number');
  IF key IS NOT NULL THEN
    INSERT INTO godwit.run_key AS k (job, key, run) VALUES (job, key, fresh) ON CONFLICT ON CONSTRAINT run_key_pkey DO NOTHING;
    IF NOT FOUND THEN
      SELECT k.run INTO taken FROM godwit.run_key k WHERE k.job = job AND k.key = key;
      IF taken IS NULL THEN
        RAISE EXCEPTION 'godwit.submit: key % of job % was taken by a transaction that this one cannot see', key, job
          USING ERRCODE = 'serialization_failure', HINT = 'Repeat the transaction.';
      END IF;
      RETURN taken;
    END IF;
  END IF;
  INSERT INTO godwit.inbox (run, job, params, key, submitted_by) VALUES (fresh, job, coalesce(params, '{}'), key, session_user);
  PERFORM pg_notify('godwit_inbox', '');
  RETURN fresh;
END $$;
COMMENT ON FUNCTION godwit.submit(text, text, text) IS
  'Submits a run of a job in the caller''s own transaction and returns its number: the run exists when the transaction commits, and is taken up at once then. With a key that the job has seen already, returns the number of the run that has it; NULL is no key, and an empty one an error. Parameters are at most 4 MiB long and are checked by the daemon; a run with wrong ones fails and says so.';

CREATE OR REPLACE FUNCTION godwit.signal(run bigint, name text, payload text DEFAULT 'null') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
  IF name IS NULL OR name = '' THEN
    RAISE EXCEPTION 'godwit.signal: the name of the signal is missing' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF starts_with(name, 'approve:') THEN
    RAISE EXCEPTION 'godwit.signal: a signal named % would be a decision on a step', name
      USING ERRCODE = 'invalid_parameter_value', HINT = '`godwit approve` and `godwit reject` decide, for those who may.';
  END IF;
  IF NOT EXISTS (SELECT FROM godwit.run r WHERE r.id = run) AND NOT EXISTS (SELECT FROM godwit.inbox i WHERE i.run = run) THEN
    RAISE EXCEPTION 'godwit.signal: there is no run %', run USING ERRCODE = 'no_data_found';
  END IF;
  IF EXISTS (SELECT FROM godwit.run_done d WHERE d.run = run) THEN
    RAISE EXCEPTION 'godwit.signal: run % has already ended', run USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  INSERT INTO godwit.signal_inbox (number, run, name, payload, sent_by)
  VALUES (nextval('godwit.run_number'), run, name, coalesce(payload, 'null')::json::text, session_user);
  PERFORM pg_notify('godwit_inbox', '');
END $$;
)sql";

// Functions whose texts alone were wrong are made again from what they are.
constexpr std::string_view kTrueTexts = R"sql(
CREATE OR REPLACE VIEW godwit.waits AS
SELECT w.run, w.path, (ARRAY['sleep', 'signal', 'approval', 'child', 'lock'])[w.kind + 1] AS kind, w.at AS since, w.until,
  CASE WHEN w.kind = 4 THEN w.detail::json ->> 'lock' ELSE w.name END AS name, w.child, w.detail::json AS detail
FROM godwit.wait w WHERE NOT EXISTS (SELECT FROM godwit.step s WHERE s.run = w.run AND s.path = w.path)
  AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = w.run);
COMMENT ON COLUMN godwit.waits.kind IS 'sleep, signal, approval, child or lock.';
COMMENT ON COLUMN godwit.waits.name IS 'Name of the signal or of the lock.';
COMMENT ON COLUMN godwit.runs.state IS 'queued, running, waiting, paused, blocked (needs a person), succeeded, failed or cancelled. The last three are final. Of what is under way only ends are written down, unless it may not be repeated: a run is queued here until the first of its steps has ended or was tried again. Waiting for a limit or a retry shows as running; ask the daemon with `godwit why`.';
DO $do$ BEGIN
  EXECUTE replace(pg_get_functiondef('godwit.signal(bigint, text, text)'::regprocedure), '`godwit approve` and `godwit reject` decide', '`godwit approve` decides');
END $do$;
)sql";

constexpr std::array kMigrations{
    Migration{1, "tables", kTables},
    Migration{2, "submit by SQL", kSubmit},
    Migration{3, "views", kViews},
    Migration{4, "both sides of a mismatch", kSides},
    Migration{5, "steps that wait", kWaits},
    Migration{6, "schedules", kSchedules},
    Migration{7, "unique runs, and runs that are deleted", kUnique},
    Migration{8, "rates", kRates},
    Migration{9, "artifacts", kArtifacts},
    Migration{10, "named locks", kLocks},
    Migration{11, "queues", kQueues},
    Migration{12, "outputs that are artifacts", kOutputs},
    Migration{13, "several nodes", kNodesSql},
    Migration{14, "one record per fire time", kOneRecordPerFire},
    Migration{15, "lines of scripts", kLines},
    Migration{16, "the block of numbers with which a run was taken", kTakenWith},
    Migration{17, "bounds of what is sent by SQL", kSqlBounds},
    Migration{18, "waits for locks, and true texts", kTrueTexts},
};

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

}  // namespace godwit::store
