-- A step that fails again and again in the same way stops its day (fault P09).
-- depends: 0006_grants

ALTER TABLE settlement_pipeline_runs
    ADD COLUMN IF NOT EXISTS failed_step text CHECK (failed_step IN ('export', 'affiliate', 'compute', 'approve', 'commit', 'stats')),
    ADD COLUMN IF NOT EXISTS failed_code text,
    ADD COLUMN IF NOT EXISTS failed_at timestamptz[] NOT NULL DEFAULT '{}',
    DROP CONSTRAINT IF EXISTS pipeline_failures_are_of_one_kind,
    ADD CONSTRAINT pipeline_failures_are_of_one_kind CHECK
        ((cardinality(failed_at) = 0) = (failed_step IS NULL) AND (failed_step IS NULL) = (failed_code IS NULL));
COMMENT ON COLUMN settlement_pipeline_runs.failed_at IS
    'When failed_step failed with failed_code, as often as it did so in a row. A step that is done and a resume empty it.';

INSERT INTO schema_versions (migration_id) VALUES ('0007_poison');
