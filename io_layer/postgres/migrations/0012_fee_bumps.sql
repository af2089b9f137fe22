-- Since when a signed transaction waits, counted in blocks: a host's clock must not decide when its fee is raised.
-- depends: 0008_guards

ALTER TABLE chain_transaction_attempts ADD COLUMN IF NOT EXISTS broadcast_block bigint CHECK (broadcast_block >= 0);
COMMENT ON COLUMN chain_transaction_attempts.broadcast_block IS
    'The newest final block when these bytes were first sent, or first sent again after their block was dropped.';

INSERT INTO schema_versions (migration_id) VALUES ('0012_fee_bumps');
