-- A voided day is a fact of the chain and nothing that is computed: no run, no payout, no tree; its row says where it
-- was voided, and voided.json is its only file.
-- depends: 0017_moved

-- Runs are settlements again; with the columns go the constraints that name them.
ALTER TABLE settlement_runs
    DROP COLUMN IF EXISTS kind,
    DROP COLUMN IF EXISTS void_reason,
    DROP COLUMN IF EXISTS promotions,
    DROP CONSTRAINT IF EXISTS settlement_runs_settlement_hash,
    ADD CONSTRAINT settlement_runs_settlement_hash CHECK (settlement_hash <> decode(repeat('00', 32), 'hex'));
COMMENT ON COLUMN settlement_runs.total_payout IS 'The prizes: what the release owes to the winners.';
ALTER TABLE settlement_pool_results
    DROP COLUMN IF EXISTS refund,
    DROP CONSTRAINT IF EXISTS pool_results_split,
    DROP CONSTRAINT IF EXISTS pool_results_conserved,
    ADD CONSTRAINT pool_results_split CHECK (fee + rollover + jackpot + pot = stake),
    ADD CONSTRAINT pool_results_conserved CHECK
        (carry + reserve + last_rollover + stake
         = payout + jackpot_payout + closing_carry + closing_reserve + closing_last_rollover + fee);

ALTER TABLE settlement_pipeline_runs
    DROP CONSTRAINT IF EXISTS settlement_pipeline_runs_status_check,
    ADD CONSTRAINT settlement_pipeline_runs_status_check
        CHECK (status IN ('RUNNING', 'WAITING', 'DONE', 'FAILED', 'HALTED', 'VOIDED')),
    ADD COLUMN IF NOT EXISTS void_stake atoms,
    ADD COLUMN IF NOT EXISTS void_block bigint CHECK (void_block >= 0),
    ADD COLUMN IF NOT EXISTS void_block_hash hash32,
    ADD COLUMN IF NOT EXISTS void_at_s bigint,
    ADD COLUMN IF NOT EXISTS void_tx hash32,
    DROP CONSTRAINT IF EXISTS pipeline_voided_is_anchored,
    DROP CONSTRAINT IF EXISTS pipeline_voided_has_no_steps,
    ADD CONSTRAINT pipeline_voided_is_anchored CHECK
        (num_nonnulls(void_stake, void_block, void_block_hash, void_at_s, void_tx)
         = CASE WHEN status = 'VOIDED' THEN 5 ELSE 0 END),
    ADD CONSTRAINT pipeline_voided_has_no_steps CHECK (status <> 'VOIDED' OR (NOT export_ok AND run_id IS NULL));
COMMENT ON COLUMN settlement_pipeline_runs.void_stake IS 'Voided day: what the buyers and the promotions account get back, in atoms.';
COMMENT ON COLUMN settlement_pipeline_runs.void_at_s IS 'Voided day: time of the block of its DayVoided event (unix seconds).';
-- The App shows which days are voided.
GRANT SELECT (day_id, status, void_stake, void_block, void_at_s, void_tx) ON settlement_pipeline_runs TO bo_app;

CREATE OR REPLACE FUNCTION settlement_runs_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
DECLARE
    found record;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('run_kept', 'run ' || OLD.run_id || ' is history and is kept');
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'dry_run' THEN
            PERFORM refuse('run_transition', 'a run is born as dry_run');
        END IF;
        IF (SELECT count(*) FROM day_inputs WHERE day_id = NEW.day_id) <> 5 THEN
            PERFORM refuse('day_not_sealed', 'day ' || NEW.day_id || ' is not sealed, so no run of it can stand');
        END IF;
        IF EXISTS (SELECT FROM settlement_pipeline_runs WHERE day_id = NEW.day_id AND status = 'VOIDED') THEN
            PERFORM refuse('day_voided', 'day ' || NEW.day_id || ' is VOIDED, so no run of it can stand');
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.run_id, NEW.day_id, NEW.run_hash, NEW.ruleset_hash, NEW.total_payout, NEW.affiliate_total,
        NEW.charity_total, NEW.net_fee, NEW.pool_payout, NEW.pool_jackpot_payout, NEW.jackpot_hit, NEW.winner_root,
        NEW.affiliate_root, NEW.settlement_hash, NEW.winner_count, NEW.affiliate_count, NEW.created_at)
       IS DISTINCT FROM
       (OLD.run_id, OLD.day_id, OLD.run_hash, OLD.ruleset_hash, OLD.total_payout, OLD.affiliate_total,
        OLD.charity_total, OLD.net_fee, OLD.pool_payout, OLD.pool_jackpot_payout, OLD.jackpot_hit, OLD.winner_root,
        OLD.affiliate_root, OLD.settlement_hash, OLD.winner_count, OLD.affiliate_count, OLD.created_at) THEN
        PERFORM refuse('run_fixed', 'the result of run ' || OLD.run_id || ' cannot change');
    END IF;
    IF OLD.status IN ('settled', 'vetoed', 'superseded') THEN
        PERFORM refuse('run_transition', 'run ' || OLD.run_id || ' is ' || OLD.status || ' and cannot change');
    END IF;
    IF OLD.approved_by IS NOT NULL AND (NEW.approved_by, NEW.approved_at)
       IS DISTINCT FROM (OLD.approved_by, OLD.approved_at) THEN
        PERFORM refuse('run_fixed', 'the approval of run ' || OLD.run_id || ' cannot change');
    END IF;
    IF (OLD.status, NEW.status) NOT IN (VALUES
        ('dry_run', 'superseded'), ('dry_run', 'approved'), ('approved', 'superseded'), ('approved', 'committed'),
        ('committed', 'settled'), ('committed', 'vetoed')) THEN
        PERFORM refuse('run_transition', 'a run cannot move from ' || OLD.status || ' to ' || NEW.status);
    END IF;
    -- The gates have said yes; the rows must say the same at the moment of the step.
    IF NEW.status IN ('approved', 'committed') THEN
        SELECT count(*) AS rows, coalesce(sum(amount), 0) AS total INTO found
          FROM settlement_winner_payouts WHERE run_id = NEW.run_id;
        IF (found.rows, found.total) IS DISTINCT FROM (NEW.winner_count::bigint, NEW.total_payout::numeric) THEN
            PERFORM refuse('run_rows_differ', 'the winner payouts of run ' || NEW.run_id || ' do not make up its total');
        END IF;
        SELECT count(*) AS rows, coalesce(sum(amount), 0) AS total INTO found
          FROM settlement_affiliate_payouts WHERE run_id = NEW.run_id;
        IF (found.rows, found.total) IS DISTINCT FROM (NEW.affiliate_count::bigint, NEW.affiliate_total::numeric) THEN
            PERFORM refuse('run_rows_differ', 'the affiliate payouts of run ' || NEW.run_id || ' do not make up its total');
        END IF;
        SELECT count(*) AS rows, sum(payout + jackpot_payout) AS total, sum(fee) AS fee,
               array_agg(payout::numeric ORDER BY pool_id) AS payouts,
               array_agg(jackpot_payout::numeric ORDER BY pool_id) AS jackpots,
               array_agg(jackpot_hit ORDER BY pool_id) AS hits
          INTO found FROM settlement_pool_results WHERE run_id = NEW.run_id;
        IF (found.rows, found.total, found.fee, found.payouts, found.jackpots, found.hits) IS DISTINCT FROM
           (5::bigint, NEW.total_payout::numeric, NEW.affiliate_total + NEW.charity_total + NEW.net_fee,
            NEW.pool_payout, NEW.pool_jackpot_payout, NEW.jackpot_hit) THEN
            PERFORM refuse('run_rows_differ', 'the pools of run ' || NEW.run_id || ' do not make up its totals');
        END IF;
    END IF;
    IF NEW.status IN ('settled', 'vetoed') THEN
        NEW.closed_at := now();
    END IF;
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
    IF OLD.status IN ('DONE', 'VOIDED') THEN
        PERFORM refuse('day_done', 'day ' || OLD.day_id || ' is ' || OLD.status || ' and cannot change');
    END IF;
    IF NEW.day_id <> OLD.day_id THEN
        PERFORM refuse('day_not_fresh', 'the pipeline of day ' || OLD.day_id || ' cannot become that of another day');
    END IF;
    IF NEW.commit_ok AND NOT OLD.commit_ok
       AND NOT EXISTS (SELECT FROM settlement_runs
                        WHERE run_id = NEW.run_id AND day_id = NEW.day_id AND status = 'settled') THEN
        PERFORM refuse('day_not_settled', 'day ' || OLD.day_id || ' has no settled run, so its commit is not done');
    END IF;
    -- A day that only says so is none: its settlement is set aside and its file is stored before.
    IF NEW.status = 'VOIDED' AND
       (EXISTS (SELECT FROM settlement_runs
                 WHERE day_id = NEW.day_id AND status NOT IN ('superseded', 'vetoed'))
        OR NOT EXISTS (SELECT FROM settlement_artifacts
                        WHERE day_id = NEW.day_id AND run_id IS NULL AND name = 'voided.json')) THEN
        PERFORM refuse('day_not_voided', 'day ' || OLD.day_id || ' has a run or no voided.json, so it is not VOIDED');
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION artifacts_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM refuse('artifact_fixed', 'artifact ' || OLD.name || ' of day ' || OLD.day_id || ' cannot change');
    END IF;
    IF OLD.name <> 'provenance.json' AND EXISTS (
        SELECT FROM settlement_runs AS r
         WHERE (r.run_id = OLD.run_id OR (OLD.run_id IS NULL AND r.day_id = OLD.day_id))
           AND r.status IN ('approved', 'committed', 'settled')) THEN
        PERFORM refuse('artifact_fixed', 'artifact ' || OLD.name || ' of day ' || OLD.day_id
                       || ' belongs to an approved run and cannot be removed');
    END IF;
    IF OLD.name = 'voided.json' AND EXISTS (
        SELECT FROM settlement_pipeline_runs WHERE day_id = OLD.day_id AND status = 'VOIDED') THEN
        PERFORM refuse('artifact_fixed', 'voided.json of day ' || OLD.day_id || ' is kept: the day is VOIDED');
    END IF;
    RETURN OLD;
END $$;

INSERT INTO schema_versions (migration_id) VALUES ('0018_voided');
