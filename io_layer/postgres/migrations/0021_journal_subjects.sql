-- A purpose names its subject in words (`day 20778`), so that a product without days can use the journal.
-- depends: 0020_refunds

-- Generated first and an ordinary column then: so every row gets its subject, and no guard sees a change.
ALTER TABLE chain_transactions
    ADD COLUMN IF NOT EXISTS subject text NOT NULL GENERATED ALWAYS AS ('day ' || day_id::bigint::text) STORED;
ALTER TABLE chain_transactions ALTER COLUMN subject DROP EXPRESSION IF EXISTS;

CREATE OR REPLACE FUNCTION chain_transactions_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('journal_kept', 'the journal is kept');
    END IF;
    IF (NEW.tx_id, NEW.chain_id, NEW.contract, NEW.selector, NEW.subject, NEW.round)
       IS DISTINCT FROM (OLD.tx_id, OLD.chain_id, OLD.contract, OLD.selector, OLD.subject, OLD.round) THEN
        PERFORM refuse('journal_fixed', 'the purpose of transaction ' || OLD.tx_id || ' cannot change');
    END IF;
    IF NEW.calldata IS DISTINCT FROM OLD.calldata
       AND EXISTS (SELECT FROM chain_transaction_attempts WHERE tx_id = OLD.tx_id) THEN
        PERFORM refuse('journal_fixed', 'transaction ' || OLD.tx_id || ' was signed, its calldata cannot change');
    END IF;
    IF OLD.status IN ('FINAL', 'ADOPTED') THEN
        PERFORM refuse('journal_fixed', 'transaction ' || OLD.tx_id || ' is ' || OLD.status || ' and cannot change');
    END IF;
    IF OLD.status = 'FAILED' AND NEW.status NOT IN ('FAILED', 'PREPARED', 'ADOPTED') THEN
        PERFORM refuse('journal_fixed', 'transaction ' || OLD.tx_id || ' is FAILED: it can only be prepared again');
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

ALTER TABLE chain_transactions
    DROP CONSTRAINT IF EXISTS chain_transactions_one_per_purpose,
    DROP CONSTRAINT IF EXISTS chain_transactions_subject,
    DROP COLUMN IF EXISTS day_id,
    ADD CONSTRAINT chain_transactions_one_per_purpose UNIQUE (chain_id, contract, selector, subject, round),
    ADD CONSTRAINT chain_transactions_subject CHECK (subject ~ '^[a-z][a-zA-Z0-9 :.-]{0,120}$');
COMMENT ON COLUMN chain_transactions.subject IS 'What the purpose is about, in its product''s words: `day 20778`.';

INSERT INTO schema_versions (migration_id) VALUES ('0021_journal_subjects');
