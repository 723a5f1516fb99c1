#pragma once
#include <string_view>

namespace godwit::store {

// Several nodes on one store. What makes them safe is said in three rules:
// - A node writes only while godwit.node has its epoch, and each of its statements looks. Who takes its runs changes the epoch first.
// - A run that has not ended belongs to the node of its row in open_run, or, when that node has not folded it yet, to the node that submitted
//   it. Rows of a node whose lease is over (and of node 0, which is nobody) are for the others to take.
// - Only the database's clock says that a lease is over.
inline constexpr std::string_view kNodesSql = R"sql(
INSERT INTO godwit.node (id, name, epoch) OVERRIDING SYSTEM VALUE VALUES (0, '', 0);

-- Apart from godwit.node, whose rows each transaction of the journal locks: a heartbeat must not wait for it, nor it for a heartbeat.
-- `until`: '-infinity' once the node is gone, 'infinity' of one that shares its database with nobody.
CREATE TABLE godwit.lease (
  node integer PRIMARY KEY,
  epoch bigint NOT NULL,
  until timestamptz NOT NULL,
  renewed_at timestamptz NOT NULL DEFAULT now(),
  round bigint NOT NULL DEFAULT 0,
  draining boolean NOT NULL DEFAULT false,
  whole boolean NOT NULL DEFAULT false,
  labels text NOT NULL DEFAULT '{}',
  offers text[] NOT NULL DEFAULT '{}',
  version text NOT NULL DEFAULT '') WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
INSERT INTO godwit.lease (node, epoch, until) SELECT id, epoch, '-infinity' FROM godwit.node;

-- A run belongs to one node.
ALTER TABLE godwit.open_run DROP CONSTRAINT open_run_pkey, ADD PRIMARY KEY (run);
CREATE INDEX open_run_by_node ON godwit.open_run (node, run);

-- Numbers of facts are given to nodes in blocks of 2^30. A node takes a new one whenever it takes over runs, so that what it writes of
-- them is greater than what anybody wrote before.
CREATE SEQUENCE godwit.fact_block AS bigint;
SELECT setval('godwit.fact_block', ((SELECT last_value FROM godwit.epoch) + 1) << 10);

-- What nodes have to tell the owner of a run: to look at it anew (no body), or to do something with it and answer.
CREATE TABLE godwit.mail (
  number bigint PRIMARY KEY DEFAULT nextval('godwit.run_number'),
  run bigint NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now(),
  body text,
  answer text) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- How much of each limit each node may let through by itself, in permits, or in millionths of a rate. See engine/quota.hpp.
CREATE TABLE godwit.quota (
  name text COLLATE "C" NOT NULL,
  node integer NOT NULL,
  held bigint NOT NULL,
  wanted bigint NOT NULL,
  need bigint NOT NULL,
  since timestamptz,
  PRIMARY KEY (name, node)) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

CREATE FUNCTION godwit.owner(wanted bigint) RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT o.node FROM godwit.open_run o WHERE o.run = wanted), (SELECT r.node FROM godwit.run r WHERE r.id = wanted)) $$;

-- Moves what a node has committed into open_run. The caller holds the node's row, so that nothing more can be committed meanwhile, or
-- knows that it commits in the order of its numbers.
CREATE FUNCTION godwit.fold_runs(folded integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  low bigint;
  high bigint;
BEGIN
  SELECT coalesce((SELECT number FROM godwit.fold WHERE node = folded FOR UPDATE), 0), coalesce((SELECT max(number) FROM godwit.run WHERE node = folded), 0)
    INTO low, high;
  IF high <= low THEN RETURN; END IF;
  INSERT INTO godwit.open_run (node, run) SELECT r.node, r.id FROM godwit.run r WHERE r.node = folded AND r.number > low AND r.number <= high
    AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = r.id) ON CONFLICT DO NOTHING;
  INSERT INTO godwit.fold (node, number) VALUES (folded, high) ON CONFLICT (node) DO UPDATE SET number = excluded.number;
END $$;

-- Ends the lease of a node: it can commit nothing more, and its runs and permits are for the others.
CREATE FUNCTION godwit.end_lease(gone integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE godwit.node SET epoch = nextval('godwit.epoch') WHERE id = gone;
  UPDATE godwit.lease SET until = '-infinity', whole = false WHERE node = gone;
  DELETE FROM godwit.quota WHERE node = gone;
  PERFORM godwit.fold_runs(gone);
END $$;

CREATE FUNCTION godwit.end_overdue_leases() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  gone integer;
  count integer := 0;
BEGIN
  FOR gone IN SELECT node FROM godwit.lease WHERE until < now() AND until > '-infinity' FOR UPDATE SKIP LOCKED LOOP
    PERFORM godwit.end_lease(gone);
    count := count + 1;
  END LOOP;
  RETURN count;
END $$;

-- Changes of a run come from one node after the other, and their order is that of their commits.
ALTER TABLE godwit.run_change ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY;

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
  p.progress::json AS progress, d.failure::json AS error, d.failed_path AS failed_step, r.retry_of, r.pins::json AS pins,
  nullif(n.name, '') AS node, r.parent, r.parent_path, r.options::json AS options
FROM godwit.run r
LEFT JOIN godwit.open_run o ON o.run = r.id
LEFT JOIN godwit.node n ON n.id = coalesce(o.node, r.node)
LEFT JOIN godwit.run_done d ON d.run = r.id
LEFT JOIN godwit.progress p ON p.run = r.id
LEFT JOIN godwit.rest t ON t.run = r.id AND d.run IS NULL
LEFT JOIN LATERAL (
  SELECT (array_agg(change ORDER BY seq DESC) FILTER (WHERE change IN (0, 1)))[1] = 0 AS paused,
         (array_agg(change ORDER BY seq DESC) FILTER (WHERE change IN (2, 3)))[1] = 2 AS blocked,
         bool_or(change = 4) AS cancel_requested
  FROM godwit.run_change WHERE run_change.run = r.id) c ON d.run IS NULL
UNION ALL
SELECT i.run, i.job, NULL, 'queued', false, i.params::json, i.key, i.submitted_by, i.submitted_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL
FROM godwit.inbox i;
COMMENT ON COLUMN godwit.runs.node IS 'The node that has the run, or had it last; null while none has.';

CREATE VIEW godwit.nodes AS
SELECT n.name AS node, CASE WHEN l.until = '-infinity' THEN 'gone' WHEN l.until < now() THEN 'overdue' WHEN l.draining THEN 'draining' ELSE 'up' END AS state,
  l.draining, n.epoch, l.renewed_at, nullif(nullif(l.until, 'infinity'), '-infinity') AS lease_until, l.labels::json AS labels, l.offers AS plugins,
  l.version, n.started_at
FROM godwit.node n JOIN godwit.lease l ON l.node = n.id WHERE n.id <> 0;
COMMENT ON VIEW godwit.nodes IS 'The daemons that have ever shared this store, by the database''s clock.';
COMMENT ON COLUMN godwit.nodes.node IS 'Name of the node.';
COMMENT ON COLUMN godwit.nodes.state IS 'up, draining (it begins nothing), overdue (its lease is over and nobody has ended it yet) or gone (its runs are for the others).';
COMMENT ON COLUMN godwit.nodes.draining IS 'Somebody told it to drain, which it stays told after a restart.';
COMMENT ON COLUMN godwit.nodes.epoch IS 'Its right to write; a greater one replaces it.';
COMMENT ON COLUMN godwit.nodes.renewed_at IS 'When it last said that it lives.';
COMMENT ON COLUMN godwit.nodes.lease_until IS 'When the others may take its runs; null when it is gone, and for a node that is alone with a private database.';
COMMENT ON COLUMN godwit.nodes.labels IS 'Its labels, which labels node.* of runs ask for.';
COMMENT ON COLUMN godwit.nodes.plugins IS 'The plugins it has, each with its version.';
COMMENT ON COLUMN godwit.nodes.version IS 'Version of its godwitd.';
COMMENT ON COLUMN godwit.nodes.started_at IS 'When it took its place.';
)sql";

}  // namespace godwit::store
