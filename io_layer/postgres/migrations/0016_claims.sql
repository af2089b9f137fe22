-- Claims: why one was released, and ways to find what is open.
-- depends: 0014_jobs

ALTER TABLE claims ADD COLUMN IF NOT EXISTS reason text;
COMMENT ON COLUMN claims.reason IS 'Why the engine released it.';
COMMENT ON COLUMN claims.updated_at IS 'When the engine last looked at it or decided it.';
CREATE INDEX IF NOT EXISTS claims_pending ON claims (updated_at, claim_id) WHERE status = 'PENDING';

CREATE INDEX IF NOT EXISTS claim_events_not_final ON claim_events (block_number) WHERE NOT is_final;
COMMENT ON COLUMN claim_events.is_final IS
    'False while its block is not final: shown, counted nowhere, and gone again when the block is dropped.';

INSERT INTO schema_versions (migration_id) VALUES ('0016_claims');
