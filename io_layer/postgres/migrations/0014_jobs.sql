-- Stop and go of jobs, what became of a run, whose database this is, and which engine began a day.
-- depends: 0008_guards

CREATE TABLE IF NOT EXISTS job_halts (
    job text PRIMARY KEY,
    reason text NOT NULL,
    halted_by text NOT NULL,
    halted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE job_halts IS 'Jobs that a person has stopped; * stands for all. Every fenced transaction looks here.';
GRANT SELECT ON job_halts TO bo_engine, bo_watchdog;
GRANT INSERT, DELETE ON job_halts TO bo_engine;

-- Nobody but the owner can change it: whoever could would settle one installation with the tickets of another.
CREATE TABLE IF NOT EXISTS deployment (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    chain_id bigint NOT NULL CHECK (chain_id > 0),
    settlement wallet NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE deployment IS 'The one installation that this database belongs to; written by the first job that runs.';
GRANT SELECT ON deployment TO bo_engine, bo_watchdog;
GRANT INSERT ON deployment TO bo_engine;

ALTER TABLE job_runs
    ADD COLUMN IF NOT EXISTS engine text,
    ADD COLUMN IF NOT EXISTS took_ms bigint CHECK (took_ms >= 0),
    ADD COLUMN IF NOT EXISTS message text;
COMMENT ON COLUMN job_runs.token IS 'The fencing token of its lease; none for a run that did not get it, or had nothing to do.';
COMMENT ON COLUMN job_runs.finished_at IS
    'Empty while it runs. Empty beside error_code run_lost: it never told its end, as a later run of the job found.';

ALTER TABLE settlement_pipeline_runs ADD COLUMN IF NOT EXISTS engine text;
COMMENT ON COLUMN settlement_pipeline_runs.engine IS
    'Version of the engine that works on the day; another one begins anew what is not signed yet.';

INSERT INTO schema_versions (migration_id) VALUES ('0014_jobs');
