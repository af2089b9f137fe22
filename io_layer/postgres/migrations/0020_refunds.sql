-- Refunds of voided days, one row each, followed as claims are; and where the money of a claim went.
-- depends: 0019_seed_request_time

-- Until here every claim was paid to its account itself: contracts before the second edition knew no payee.
ALTER TABLE claim_events ADD COLUMN IF NOT EXISTS paid_to wallet;
UPDATE claim_events SET paid_to = account WHERE paid_to IS NULL;
ALTER TABLE claim_events ALTER COLUMN paid_to SET NOT NULL;
COMMENT ON COLUMN claim_events.paid_to IS 'The account''s payee when it was paid: itself, unless it named another.';

CREATE TABLE IF NOT EXISTS refunds (
    tx_hash hash32 NOT NULL,
    log_index integer NOT NULL CHECK (log_index >= 0),
    kind text NOT NULL CHECK (kind IN ('stake', 'vouchers')),
    day_id day_id NOT NULL,
    account wallet NOT NULL,
    nonce nonce16,
    paid_to wallet NOT NULL,
    amount atoms NOT NULL CHECK (amount > 0),
    block_number bigint NOT NULL CHECK (block_number >= 0),
    block_hash hash32 NOT NULL,
    is_final boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tx_hash, log_index),
    CONSTRAINT refunds_nonce CHECK ((kind = 'stake') = (nonce IS NOT NULL)),
    CONSTRAINT refunds_stake_once UNIQUE (account, nonce)
);
CREATE UNIQUE INDEX IF NOT EXISTS refunds_vouchers_once ON refunds (day_id) WHERE kind = 'vouchers';
CREATE INDEX IF NOT EXISTS refunds_by_day ON refunds (day_id);
CREATE INDEX IF NOT EXISTS refunds_not_final ON refunds (block_number) WHERE NOT is_final;
COMMENT ON TABLE refunds IS
    'Refunded and VouchersRefunded events of ReserveVault: a ticket is refunded once, a day''s vouchers are refunded once.';
COMMENT ON COLUMN refunds.kind IS 'stake: what a buyer paid for one ticket. vouchers: all vouchers of the day.';
COMMENT ON COLUMN refunds.account IS 'The buyer; of vouchers the account that paid for them.';
COMMENT ON COLUMN refunds.nonce IS 'The nonce of the ticket''s permit, as in tickets; null for vouchers.';
COMMENT ON COLUMN refunds.paid_to IS 'The account''s payee when it was paid: itself, unless it named another.';
COMMENT ON COLUMN refunds.is_final IS
    'False while its block is not final: shown, counted nowhere, and gone again when the block is dropped.';

ALTER TABLE suspense_events DROP CONSTRAINT IF EXISTS suspense_events_kind_check;
ALTER TABLE suspense_events ADD CONSTRAINT suspense_events_kind_check CHECK (kind IN ('purchase', 'claim', 'refund'));

GRANT SELECT ON refunds TO bo_engine, bo_app, bo_watchdog;
GRANT INSERT, UPDATE, DELETE ON refunds TO bo_engine;

INSERT INTO schema_versions (migration_id) VALUES ('0020_refunds');
