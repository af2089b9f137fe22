-- Transactions that the engine sends, and the bookkeeping of its jobs.
-- depends: 0004_settlement

CREATE TABLE chain_accounts (
    chain_id bigint NOT NULL CHECK (chain_id > 0),
    address wallet NOT NULL,
    next_nonce bigint NOT NULL CHECK (next_nonce >= 0),
    PRIMARY KEY (chain_id, address)
);
COMMENT ON TABLE chain_accounts IS 'Nonce allocator: the row is locked while a nonce is given out.';

CREATE TABLE chain_transactions (
    tx_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id bigint NOT NULL CHECK (chain_id > 0),
    contract wallet NOT NULL,
    selector bytea NOT NULL CHECK (octet_length(selector) = 4),
    day_id day_id NOT NULL,
    round integer NOT NULL CHECK (round >= 0),
    status text NOT NULL DEFAULT 'PREPARED'
        CHECK (status IN ('PREPARED', 'SIGNED', 'BROADCAST', 'MINED', 'FINAL', 'FAILED', 'ADOPTED')),
    calldata bytea NOT NULL,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT chain_transactions_one_per_purpose UNIQUE (chain_id, contract, selector, day_id, round),
    CONSTRAINT chain_transactions_calldata CHECK (substring(calldata FROM 1 FOR 4) = selector),
    CONSTRAINT chain_transactions_reason CHECK (status NOT IN ('FAILED', 'ADOPTED') OR reason IS NOT NULL)
);
CREATE INDEX chain_transactions_open ON chain_transactions (tx_id) WHERE status NOT IN ('FINAL', 'FAILED', 'ADOPTED');
COMMENT ON TABLE chain_transactions IS
    'The journal: one row per purpose. Round is the number of vetoes of the day, so that a new run may commit again.';

CREATE TABLE chain_nonces (
    chain_id bigint NOT NULL,
    sender wallet NOT NULL,
    nonce bigint NOT NULL CHECK (nonce >= 0),
    tx_id bigint NOT NULL REFERENCES chain_transactions,
    allocated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, sender, nonce),
    UNIQUE (sender, nonce, tx_id),
    FOREIGN KEY (chain_id, sender) REFERENCES chain_accounts
);
COMMENT ON TABLE chain_nonces IS 'Which purpose a nonce was given to. A nonce never serves two purposes.';

CREATE TABLE chain_transaction_attempts (
    tx_id bigint NOT NULL REFERENCES chain_transactions,
    attempt integer NOT NULL CHECK (attempt >= 1),
    sender wallet NOT NULL,
    nonce bigint NOT NULL CHECK (nonce >= 0),
    gas_limit bigint NOT NULL CHECK (gas_limit > 0),
    max_fee_per_gas uint256 NOT NULL,
    max_priority_fee uint256 NOT NULL,
    raw bytea NOT NULL CHECK (octet_length(raw) > 0),
    tx_hash hash32 NOT NULL UNIQUE,
    state text NOT NULL DEFAULT 'SIGNED'
        CHECK (state IN ('SIGNED', 'BROADCAST', 'MINED', 'FINAL', 'REVERTED', 'DROPPED')),
    block_number bigint,
    block_hash hash32,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tx_id, attempt),
    UNIQUE (sender, nonce, tx_hash),
    CONSTRAINT attempts_nonce_allocated FOREIGN KEY (sender, nonce, tx_id) REFERENCES chain_nonces (sender, nonce, tx_id),
    CONSTRAINT attempts_block_known CHECK
        ((block_number IS NULL) = (block_hash IS NULL)
         AND (state NOT IN ('MINED', 'FINAL', 'REVERTED') OR block_number IS NOT NULL))
);
COMMENT ON TABLE chain_transaction_attempts IS
    'Signed bytes, stored before the first broadcast; a crash sends the same bytes again, a bump keeps the nonce.';

CREATE FUNCTION chain_transactions_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('journal_kept', 'the journal is kept');
    END IF;
    IF (NEW.tx_id, NEW.chain_id, NEW.contract, NEW.selector, NEW.day_id, NEW.round)
       IS DISTINCT FROM (OLD.tx_id, OLD.chain_id, OLD.contract, OLD.selector, OLD.day_id, OLD.round) THEN
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
CREATE TRIGGER chain_transactions_guard BEFORE UPDATE OR DELETE ON chain_transactions
    FOR EACH ROW EXECUTE FUNCTION chain_transactions_guard();

CREATE FUNCTION attempts_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('journal_kept', 'the journal is kept');
    END IF;
    IF (NEW.tx_id, NEW.attempt, NEW.sender, NEW.nonce, NEW.gas_limit, NEW.max_fee_per_gas, NEW.max_priority_fee,
        NEW.raw, NEW.tx_hash)
       IS DISTINCT FROM
       (OLD.tx_id, OLD.attempt, OLD.sender, OLD.nonce, OLD.gas_limit, OLD.max_fee_per_gas, OLD.max_priority_fee,
        OLD.raw, OLD.tx_hash) THEN
        PERFORM refuse('journal_fixed', 'signed bytes cannot change');
    END IF;
    IF OLD.state = 'FINAL' THEN
        PERFORM refuse('journal_fixed', 'attempt ' || OLD.attempt || ' of transaction ' || OLD.tx_id || ' is FINAL');
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER attempts_guard BEFORE UPDATE OR DELETE ON chain_transaction_attempts
    FOR EACH ROW EXECUTE FUNCTION attempts_guard();
CREATE TRIGGER chain_transactions_no_truncate BEFORE TRUNCATE ON chain_transactions EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER attempts_no_truncate BEFORE TRUNCATE ON chain_transaction_attempts EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER chain_nonces_no_truncate BEFORE TRUNCATE ON chain_nonces EXECUTE FUNCTION refuse_truncate();

CREATE TABLE event_cursors (
    name text PRIMARY KEY,
    block_number bigint NOT NULL CHECK (block_number >= 0),
    block_hash hash32 NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE event_cursors IS 'Last block whose events are stored, with its hash, so that a reorg is noticed.';

-- UNIQUE (job, token) makes the token part of a key. Stealing a lease then waits for a guard's FOR KEY SHARE,
-- while a renewal (another column) does not have to.
CREATE TABLE job_leases (
    job text PRIMARY KEY,
    holder text,
    token bigint NOT NULL CHECK (token >= 1),
    expires_at timestamptz NOT NULL,
    host text,
    pid integer,
    pid_started bigint,
    acquired_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (job, token)
);
COMMENT ON TABLE job_leases IS 'Who runs a job. The token grows with each acquisition; writes check it. Database clock only.';

CREATE FUNCTION job_leases_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.token < OLD.token OR NEW.job <> OLD.job THEN
        PERFORM refuse('lease_token', 'the token of job ' || OLD.job || ' only grows');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_leases_guard BEFORE UPDATE OR DELETE ON job_leases
    FOR EACH ROW EXECUTE FUNCTION job_leases_guard();

CREATE TABLE job_runs (
    job_run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    token bigint,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    exit_code smallint,
    error_code text,
    counts jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT job_runs_finished CHECK ((finished_at IS NULL) = (exit_code IS NULL))
);
CREATE INDEX job_runs_by_job ON job_runs (job, started_at);
COMMENT ON TABLE job_runs IS 'One row per run of a job, with its counts and its exit code.';

CREATE TABLE outbox (
    message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel text NOT NULL CHECK (channel IN ('mail', 'push', 'telegram')),
    kind text NOT NULL,
    dedupe_key text NOT NULL,
    recipient text NOT NULL,
    payload jsonb,
    status text NOT NULL DEFAULT 'PLANNED'
        CHECK (status IN ('PLANNED', 'SENT', 'GONE', 'EXPIRED', 'FAILED', 'UNCERTAIN')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    not_before timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    error_code text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_once UNIQUE (channel, dedupe_key)
);
CREATE INDEX outbox_planned ON outbox (not_before) WHERE status = 'PLANNED';
COMMENT ON TABLE outbox IS 'Messages to send, written in the transaction of the fact they report.';

CREATE TABLE alerts (
    fingerprint text PRIMARY KEY,
    check_id text NOT NULL,
    scope text NOT NULL,
    level text NOT NULL CHECK (level IN ('warning', 'critical')),
    message text NOT NULL,
    remedy text,
    opened_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    notified_at timestamptz,
    resolved_at timestamptz
);
COMMENT ON TABLE alerts IS 'What the watchdog found, one row per check and scope.';

CREATE TABLE audit_log (
    audit_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    action text NOT NULL CHECK (action ~ '^[a-z][a-z0-9_]*$'),
    day_id day_id,
    details jsonb NOT NULL,
    prev_hash hash32 NOT NULL,
    hash hash32 NOT NULL UNIQUE
);
COMMENT ON TABLE audit_log IS
    'Append-only. hash = sha256(prev_hash || canonical text of the row), so that a changed or missing row shows.';

CREATE FUNCTION audit_hash(prev bytea, id bigint, at timestamptz, actor text, action text, day integer, details jsonb)
    RETURNS bytea LANGUAGE sql STABLE
    RETURN sha256(prev || convert_to(jsonb_build_array(
        id, (extract(epoch FROM at) * 1000000)::bigint, actor, action, day, details)::text, 'UTF8'));
COMMENT ON FUNCTION audit_hash IS 'Hash of one audit row. The time counts in microseconds, so no time zone can change it.';

CREATE FUNCTION audit_log_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    -- One writer at a time, or two rows would follow the same one. 16962 is "BB", a lock of its own.
    PERFORM pg_advisory_xact_lock(16962, 0);
    SELECT audit_id, hash INTO last FROM audit_log ORDER BY audit_id DESC LIMIT 1;
    NEW.audit_id := coalesce(last.audit_id, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.prev_hash := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
    NEW.hash := audit_hash(NEW.prev_hash, NEW.audit_id, NEW.at, NEW.actor, NEW.action, NEW.day_id, NEW.details);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_append BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_append();

CREATE FUNCTION audit_log_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('audit_fixed', 'the audit log is append-only');
    RETURN NULL;
END $$;
CREATE TRIGGER audit_log_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_guard();

INSERT INTO schema_versions (migration_id) VALUES ('0005_chain_and_jobs');
