-- Locks that only the engine can hold, and rows that can only be born fresh.
-- depends: 0006_grants

-- An advisory lock can be taken by any login that may connect, the App's too, and held for ever. These rows cannot.
CREATE TABLE IF NOT EXISTS engine_locks (
    name text PRIMARY KEY
);
COMMENT ON TABLE engine_locks IS
    'Rows to lock: one per day orders "seal the day" against "add a ticket of the day", one orders the audit log.';
GRANT SELECT ON engine_locks TO bo_engine, bo_watchdog;
GRANT INSERT, UPDATE ON engine_locks TO bo_engine;

CREATE OR REPLACE FUNCTION lock_day(day integer, for_sealing boolean) RETURNS void LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO engine_locks (name) VALUES ('day ' || day) ON CONFLICT DO NOTHING;
    IF for_sealing THEN
        PERFORM FROM engine_locks WHERE name = 'day ' || day FOR UPDATE;
    ELSE
        PERFORM FROM engine_locks WHERE name = 'day ' || day FOR SHARE;
    END IF;
    -- A transaction that sees the past only (REPEATABLE READ) would lock nothing and believe that it has.
    IF NOT FOUND THEN
        PERFORM refuse('lock_missing', 'day ' || day || ' could not be locked: the session must be READ COMMITTED');
    END IF;
END $$;

CREATE OR REPLACE FUNCTION audit_log_append() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
DECLARE
    last record;
BEGIN
    -- One writer at a time, or two rows would follow the same one.
    INSERT INTO engine_locks (name) VALUES ('audit') ON CONFLICT DO NOTHING;
    PERFORM FROM engine_locks WHERE name = 'audit' FOR UPDATE;
    SELECT audit_id, hash INTO last FROM audit_log ORDER BY audit_id DESC LIMIT 1;
    NEW.audit_id := coalesce(last.audit_id, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.prev_hash := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
    NEW.hash := audit_hash(NEW.prev_hash, NEW.audit_id, NEW.at, NEW.actor, NEW.action, NEW.day_id, NEW.details);
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION pipeline_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Whoever could insert a finished day could make the engine believe that nothing is due.
        IF NEW.status <> 'WAITING' OR NEW.export_ok OR NEW.run_id IS NOT NULL OR NEW.approved_by IS NOT NULL THEN
            PERFORM refuse('day_not_fresh', 'the pipeline of day ' || NEW.day_id || ' begins as WAITING, with no step done');
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('pipeline_kept', 'the pipeline of day ' || OLD.day_id || ' is kept');
    END IF;
    IF OLD.status = 'DONE' THEN
        PERFORM refuse('day_done', 'day ' || OLD.day_id || ' is DONE and cannot change');
    END IF;
    IF NEW.day_id <> OLD.day_id THEN
        PERFORM refuse('day_not_fresh', 'the pipeline of day ' || OLD.day_id || ' cannot become that of another day');
    END IF;
    IF NEW.commit_ok AND NOT OLD.commit_ok
       AND NOT EXISTS (SELECT FROM settlement_runs
                        WHERE run_id = NEW.run_id AND day_id = NEW.day_id AND status = 'settled') THEN
        PERFORM refuse('day_not_settled', 'day ' || OLD.day_id || ' has no settled run, so its commit is not done');
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
DROP TRIGGER pipeline_guard ON settlement_pipeline_runs;
CREATE TRIGGER pipeline_guard BEFORE INSERT OR UPDATE OR DELETE ON settlement_pipeline_runs
    FOR EACH ROW EXECUTE FUNCTION pipeline_guard();

-- A lease is held for minutes and its token counts acquisitions: anything else would lock the engine out for good.
CREATE OR REPLACE FUNCTION job_leases_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('lease_token', 'the lease of job ' || OLD.job || ' is kept: its token only grows');
    END IF;
    IF TG_OP = 'INSERT' AND NEW.token <> 1 THEN
        PERFORM refuse('lease_token', 'the token of job ' || NEW.job || ' begins at 1');
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.token NOT IN (OLD.token, OLD.token + 1) OR NEW.job <> OLD.job) THEN
        PERFORM refuse('lease_token', 'the token of job ' || OLD.job || ' only grows, one by one');
    END IF;
    IF NEW.expires_at > clock_timestamp() + interval '1 day' THEN
        PERFORM refuse('lease_too_long', 'the lease of job ' || NEW.job || ' may not be held for more than a day');
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER job_leases_guard ON job_leases;
CREATE TRIGGER job_leases_guard BEFORE INSERT OR UPDATE OR DELETE ON job_leases
    FOR EACH ROW EXECUTE FUNCTION job_leases_guard();

INSERT INTO schema_versions (migration_id) VALUES ('0008_guards');
