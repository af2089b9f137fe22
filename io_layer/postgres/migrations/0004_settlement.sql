-- The settlement of a day: pipeline, runs, payouts, trees, artifacts.
-- depends: 0003_app

CREATE TABLE settlement_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day_id day_id NOT NULL,
    kind text NOT NULL DEFAULT 'settlement' CHECK (kind IN ('settlement', 'void')),
    run_hash hash32 NOT NULL,
    status text NOT NULL DEFAULT 'dry_run'
        CHECK (status IN ('dry_run', 'superseded', 'approved', 'committed', 'settled', 'vetoed')),
    ruleset_hash hash32 NOT NULL,
    total_payout atoms NOT NULL,
    affiliate_total atoms NOT NULL,
    charity_total atoms NOT NULL,
    net_fee atoms NOT NULL,
    pool_payout numeric[] NOT NULL CHECK (cardinality(pool_payout) = 5),
    pool_jackpot_payout numeric[] NOT NULL CHECK (cardinality(pool_jackpot_payout) = 5),
    jackpot_hit boolean[] NOT NULL CHECK (cardinality(jackpot_hit) = 5),
    winner_root hash32 NOT NULL,
    affiliate_root hash32 NOT NULL,
    settlement_hash hash32 NOT NULL,
    winner_count integer NOT NULL CHECK (winner_count >= 0),
    affiliate_count integer NOT NULL CHECK (affiliate_count >= 0),
    void_reason text CHECK (void_reason IN ('vrf_missing', 'announced')),
    promotions wallet,
    created_at timestamptz NOT NULL DEFAULT now(),
    approved_by text,
    approved_at timestamptz,
    closed_at timestamptz,
    CONSTRAINT settlement_runs_winner_root CHECK
        ((total_payout = 0) = (winner_root = decode(repeat('00', 32), 'hex'))
         AND (total_payout = 0) = (winner_count = 0)),
    CONSTRAINT settlement_runs_affiliate_root CHECK
        ((affiliate_total = 0) = (affiliate_root = decode(repeat('00', 32), 'hex'))
         AND (affiliate_total = 0) = (affiliate_count = 0)),
    CONSTRAINT settlement_runs_void_says_why CHECK
        ((kind = 'void') = (void_reason IS NOT NULL) AND (kind = 'void' OR promotions IS NULL)),
    -- A settlement is committed under its hash; a void has none, and nothing in it was drawn, won or earned.
    CONSTRAINT settlement_runs_void_pays_refunds_only CHECK
        ((kind = 'void') = (settlement_hash = decode(repeat('00', 32), 'hex'))
         AND (kind <> 'void'
              OR (affiliate_total = 0 AND charity_total = 0 AND net_fee = 0 AND NOT true = ANY (jackpot_hit)
                  AND pool_payout = '{0,0,0,0,0}' AND pool_jackpot_payout = '{0,0,0,0,0}'))),
    CONSTRAINT settlement_runs_approved CHECK
        ((approved_by IS NULL) = (approved_at IS NULL)
         AND (approved_by IS NOT NULL OR status IN ('dry_run', 'superseded')))
);
CREATE UNIQUE INDEX settlement_runs_one_live ON settlement_runs (day_id) WHERE status NOT IN ('superseded', 'vetoed');
CREATE INDEX settlement_runs_by_day ON settlement_runs (day_id, run_id);
COMMENT ON TABLE settlement_runs IS
    'Results of a computed day. At most one run of a day is neither superseded nor vetoed; a settled run never changes.';
COMMENT ON COLUMN settlement_runs.kind IS
    'settlement, or void: the owner has voided the day on-chain and its stakes go back. Refunds stand where payouts do.';
COMMENT ON COLUMN settlement_runs.run_hash IS 'sha256 of commit_bundle.json.';
COMMENT ON COLUMN settlement_runs.total_payout IS 'What leaves to PrizeVault: prizes, or on a voided day the refunds.';
COMMENT ON COLUMN settlement_runs.promotions IS 'On a voided day: who got the voucher part back, if there was one.';

CREATE TABLE settlement_pool_results (
    run_id bigint NOT NULL REFERENCES settlement_runs,
    pool_id pool_id NOT NULL,
    ticket_count integer NOT NULL CHECK (ticket_count >= 0),
    tip_count integer NOT NULL CHECK (tip_count >= 0),
    stake atoms NOT NULL,
    digest hash32 NOT NULL,
    fee atoms NOT NULL,
    rollover atoms NOT NULL,
    jackpot atoms NOT NULL,
    pot atoms NOT NULL,
    carry atoms NOT NULL,
    reserve atoms NOT NULL,
    last_rollover atoms NOT NULL,
    streak integer NOT NULL CHECK (streak >= 0),
    budget atoms NOT NULL,
    winning_numbers smallint[] NOT NULL CHECK (cardinality(winning_numbers) IN (0, 6)),
    tier_matches smallint[] NOT NULL,
    tier_winning_tips integer[] NOT NULL,
    tier_share numeric[] NOT NULL,
    tier_each numeric[] NOT NULL,
    jackpot_matches smallint NOT NULL CHECK (jackpot_matches BETWEEN 0 AND 6),
    jackpot_each atoms NOT NULL,
    payout atoms NOT NULL,
    jackpot_payout atoms NOT NULL,
    jackpot_hit boolean NOT NULL,
    refund atoms NOT NULL,
    closing_carry atoms NOT NULL,
    closing_reserve atoms NOT NULL,
    closing_last_rollover atoms NOT NULL,
    closing_streak integer NOT NULL CHECK (closing_streak >= 0),
    PRIMARY KEY (run_id, pool_id),
    CONSTRAINT pool_results_split CHECK (fee + rollover + jackpot + pot + refund = stake),
    -- All or nothing: a pool is settled or it is refunded.
    CONSTRAINT pool_results_refund CHECK
        (refund = 0 OR (refund = stake AND payout = 0 AND jackpot_payout = 0 AND closing_streak = streak
                        AND winning_numbers = '{}' AND tier_matches = '{}')),
    CONSTRAINT pool_results_budget CHECK (budget = carry + last_rollover + pot AND payout <= budget),
    CONSTRAINT pool_results_jackpot CHECK
        (jackpot_hit = (jackpot_payout > 0) AND jackpot_hit = (jackpot_matches > 0)
         AND jackpot_payout <= reserve + jackpot),
    CONSTRAINT pool_results_closing CHECK
        (closing_carry = budget - payout AND closing_reserve = reserve + jackpot - jackpot_payout
         AND closing_last_rollover = rollover),
    CONSTRAINT pool_results_conserved CHECK
        (carry + reserve + last_rollover + stake
         = payout + jackpot_payout + refund + closing_carry + closing_reserve + closing_last_rollover + fee),
    CONSTRAINT pool_results_tiers CHECK
        (cardinality(tier_matches) = cardinality(tier_winning_tips) AND cardinality(tier_matches) = cardinality(tier_share)
         AND cardinality(tier_matches) = cardinality(tier_each))
);
COMMENT ON TABLE settlement_pool_results IS 'A run''s five pools: what each sold, drew, paid and carries on.';

CREATE TABLE settlement_winner_payouts (
    run_id bigint NOT NULL REFERENCES settlement_runs,
    wallet wallet NOT NULL,
    amount atoms NOT NULL CHECK (amount > 0),
    PRIMARY KEY (run_id, wallet)
);
CREATE INDEX settlement_winner_payouts_by_wallet ON settlement_winner_payouts (wallet);
COMMENT ON TABLE settlement_winner_payouts IS 'One wallet''s winnings of the day over all pools: one leaf of the winner tree.';

CREATE TABLE settlement_affiliate_payouts (
    run_id bigint NOT NULL REFERENCES settlement_runs,
    wallet wallet NOT NULL,
    amount atoms NOT NULL CHECK (amount > 0),
    PRIMARY KEY (run_id, wallet)
);
COMMENT ON TABLE settlement_affiliate_payouts IS 'One affiliate''s commissions of the day: one leaf of the affiliate tree.';

CREATE TABLE settlement_trees (
    run_id bigint NOT NULL REFERENCES settlement_runs,
    kind text NOT NULL CHECK (kind IN ('winner', 'affiliate')),
    nodes bytea NOT NULL CHECK (octet_length(nodes) = 0 OR mod(octet_length(nodes), 64) = 32),
    PRIMARY KEY (run_id, kind)
);
-- Uncompressed, so that a proof reads only its own slices.
ALTER TABLE settlement_trees ALTER COLUMN nodes SET STORAGE EXTERNAL;
COMMENT ON TABLE settlement_trees IS
    'Both Merkle trees, packed: 32 bytes a node, root first, in the array layout of StandardMerkleTree. Proofs derive from it.';

CREATE FUNCTION settlement_runs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
        RETURN NEW;
    END IF;
    IF (NEW.run_id, NEW.day_id, NEW.run_hash, NEW.ruleset_hash, NEW.total_payout, NEW.affiliate_total,
        NEW.charity_total, NEW.net_fee, NEW.pool_payout, NEW.pool_jackpot_payout, NEW.jackpot_hit, NEW.winner_root,
        NEW.affiliate_root, NEW.settlement_hash, NEW.winner_count, NEW.affiliate_count, NEW.created_at,
        NEW.kind, NEW.void_reason, NEW.promotions)
       IS DISTINCT FROM
       (OLD.run_id, OLD.day_id, OLD.run_hash, OLD.ruleset_hash, OLD.total_payout, OLD.affiliate_total,
        OLD.charity_total, OLD.net_fee, OLD.pool_payout, OLD.pool_jackpot_payout, OLD.jackpot_hit, OLD.winner_root,
        OLD.affiliate_root, OLD.settlement_hash, OLD.winner_count, OLD.affiliate_count, OLD.created_at,
        OLD.kind, OLD.void_reason, OLD.promotions) THEN
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
        SELECT count(*) AS rows, sum(payout + jackpot_payout + refund) AS total, sum(fee) AS fee,
               sum(refund) AS refund, sum(stake) AS stake,
               array_agg(payout::numeric ORDER BY pool_id) AS payouts,
               array_agg(jackpot_payout::numeric ORDER BY pool_id) AS jackpots,
               array_agg(jackpot_hit ORDER BY pool_id) AS hits
          INTO found FROM settlement_pool_results WHERE run_id = NEW.run_id;
        IF (found.rows, found.total, found.fee, found.payouts, found.jackpots, found.hits) IS DISTINCT FROM
           (5::bigint, NEW.total_payout::numeric, NEW.affiliate_total + NEW.charity_total + NEW.net_fee,
            NEW.pool_payout, NEW.pool_jackpot_payout, NEW.jackpot_hit) THEN
            PERFORM refuse('run_rows_differ', 'the pools of run ' || NEW.run_id || ' do not make up its totals');
        END IF;
        IF (NEW.kind = 'void' AND found.refund <> found.stake) OR (NEW.kind <> 'void' AND found.refund <> 0) THEN
            PERFORM refuse('run_rows_differ', 'run ' || NEW.run_id || ' is a ' || NEW.kind || ' and gives back '
                           || found.refund || ' atoms of ' || found.stake);
        END IF;
    END IF;
    IF NEW.status IN ('settled', 'vetoed') THEN
        NEW.closed_at := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settlement_runs_guard BEFORE INSERT OR UPDATE OR DELETE ON settlement_runs
    FOR EACH ROW EXECUTE FUNCTION settlement_runs_guard();
CREATE TRIGGER settlement_runs_no_truncate BEFORE TRUNCATE ON settlement_runs EXECUTE FUNCTION refuse_truncate();

-- Rows of a run may change only while it is a dry_run; rows of a superseded run may be pruned.
CREATE FUNCTION run_rows_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed record;
BEGIN
    -- FOR SHARE orders "add a payout" against "approve the run": whoever comes second sees the other's work.
    FOR closed IN
        SELECT r.run_id, r.status FROM settlement_runs AS r
         WHERE r.run_id IN (SELECT DISTINCT c.run_id FROM changed_rows AS c) ORDER BY r.run_id FOR SHARE
    LOOP
        IF closed.status <> 'dry_run' AND NOT (TG_OP = 'DELETE' AND closed.status = 'superseded') THEN
            PERFORM refuse('run_rows_fixed', TG_TABLE_NAME || ' of run ' || closed.run_id || ' are fixed: it is '
                           || closed.status);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER winner_payouts_guard_insert AFTER INSERT ON settlement_winner_payouts
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER winner_payouts_guard_update AFTER UPDATE ON settlement_winner_payouts
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER winner_payouts_guard_move AFTER UPDATE ON settlement_winner_payouts
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER winner_payouts_guard_delete AFTER DELETE ON settlement_winner_payouts
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER winner_payouts_no_truncate BEFORE TRUNCATE ON settlement_winner_payouts
    EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER affiliate_payouts_guard_insert AFTER INSERT ON settlement_affiliate_payouts
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER affiliate_payouts_guard_update AFTER UPDATE ON settlement_affiliate_payouts
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER affiliate_payouts_guard_move AFTER UPDATE ON settlement_affiliate_payouts
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER affiliate_payouts_guard_delete AFTER DELETE ON settlement_affiliate_payouts
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER affiliate_payouts_no_truncate BEFORE TRUNCATE ON settlement_affiliate_payouts
    EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER pool_results_guard_insert AFTER INSERT ON settlement_pool_results
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER pool_results_guard_update AFTER UPDATE ON settlement_pool_results
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER pool_results_guard_move AFTER UPDATE ON settlement_pool_results
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER pool_results_guard_delete AFTER DELETE ON settlement_pool_results
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER pool_results_no_truncate BEFORE TRUNCATE ON settlement_pool_results EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER trees_guard_insert AFTER INSERT ON settlement_trees
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER trees_guard_update AFTER UPDATE ON settlement_trees
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER trees_guard_move AFTER UPDATE ON settlement_trees
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER trees_guard_delete AFTER DELETE ON settlement_trees
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION run_rows_guard();
CREATE TRIGGER trees_no_truncate BEFORE TRUNCATE ON settlement_trees EXECUTE FUNCTION refuse_truncate();

-- Inputs may be unsealed only as long as nobody relies on them.
CREATE FUNCTION day_inputs_guard_delete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    day integer;
BEGIN
    PERFORM lock_day(d.day, true) FROM (SELECT DISTINCT day_id::integer AS day FROM old_rows ORDER BY 1) AS d;
    SELECT min(r.day_id) INTO day FROM settlement_runs AS r
     WHERE r.day_id IN (SELECT o.day_id FROM old_rows AS o) AND r.status IN ('approved', 'committed', 'settled');
    IF day IS NOT NULL THEN
        PERFORM refuse('inputs_in_use', 'day ' || day || ' has an approved run and cannot be unsealed');
    END IF;
    SELECT min(i.day_id) INTO day FROM day_inputs AS i WHERE i.day_id IN (SELECT o.day_id FROM old_rows AS o);
    IF day IS NOT NULL THEN
        PERFORM refuse('seal_incomplete', 'the five pools of day ' || day || ' are unsealed together');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER day_inputs_guard_delete AFTER DELETE ON day_inputs
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION day_inputs_guard_delete();

CREATE TABLE settlement_pipeline_runs (
    day_id day_id PRIMARY KEY,
    status text NOT NULL DEFAULT 'WAITING' CHECK (status IN ('RUNNING', 'WAITING', 'DONE', 'FAILED', 'HALTED')),
    reason text,
    error_code text,
    not_before bigint,
    export_ok boolean NOT NULL DEFAULT false,
    affiliate_ok boolean NOT NULL DEFAULT false,
    compute_ok boolean NOT NULL DEFAULT false,
    approve_ok boolean NOT NULL DEFAULT false,
    commit_ok boolean NOT NULL DEFAULT false,
    stats_ok boolean NOT NULL DEFAULT false,
    run_id bigint REFERENCES settlement_runs,
    approved_by text,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pipeline_steps_in_order CHECK
        (export_ok >= affiliate_ok AND affiliate_ok >= compute_ok AND compute_ok >= approve_ok
         AND approve_ok >= commit_ok AND commit_ok >= stats_ok),
    CONSTRAINT pipeline_run_known CHECK (NOT compute_ok OR run_id IS NOT NULL),
    CONSTRAINT pipeline_done_is_complete CHECK (status <> 'DONE' OR stats_ok),
    CONSTRAINT pipeline_stop_has_reason CHECK
        (status NOT IN ('FAILED', 'HALTED') OR (reason IS NOT NULL AND error_code IS NOT NULL)),
    CONSTRAINT pipeline_wait_has_reason CHECK (status <> 'WAITING' OR reason IS NOT NULL)
);
COMMENT ON TABLE settlement_pipeline_runs IS 'Where each day stands: one row a day, one flag a step.';
COMMENT ON COLUMN settlement_pipeline_runs.not_before IS 'Chain timestamp (unix seconds) before which trying again is useless.';

CREATE FUNCTION pipeline_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('pipeline_kept', 'the pipeline of day ' || OLD.day_id || ' is kept');
    END IF;
    IF OLD.status = 'DONE' THEN
        PERFORM refuse('day_done', 'day ' || OLD.day_id || ' is DONE and cannot change');
    END IF;
    IF NEW.commit_ok AND NOT OLD.commit_ok
       AND NOT EXISTS (SELECT FROM settlement_runs WHERE run_id = NEW.run_id AND status = 'settled') THEN
        PERFORM refuse('day_not_settled', 'day ' || OLD.day_id || ' has no settled run, so its commit is not done');
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER pipeline_guard BEFORE UPDATE OR DELETE ON settlement_pipeline_runs
    FOR EACH ROW EXECUTE FUNCTION pipeline_guard();

CREATE TABLE settlement_artifacts (
    artifact_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day_id day_id NOT NULL,
    run_id bigint REFERENCES settlement_runs,
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]*[.](json|html)$'),
    sha256 hash32 NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT settlement_artifacts_once UNIQUE NULLS NOT DISTINCT (day_id, run_id, name)
);
COMMENT ON TABLE settlement_artifacts IS
    'Files of a day. The database holds the truth, the folder holds copies. Without run_id: independent of the run.';

CREATE TABLE settlement_artifact_chunks (
    artifact_id bigint NOT NULL REFERENCES settlement_artifacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    seq integer NOT NULL CHECK (seq >= 0),
    bytes bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 1048576),
    PRIMARY KEY (artifact_id, seq)
);
ALTER TABLE settlement_artifact_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE settlement_artifact_chunks IS 'The bytes of the files, in pieces of at most 1 MiB.';

CREATE FUNCTION artifacts_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN OLD;
END $$;
CREATE TRIGGER artifacts_guard BEFORE UPDATE OR DELETE ON settlement_artifacts
    FOR EACH ROW EXECUTE FUNCTION artifacts_guard();
CREATE TRIGGER artifacts_no_truncate BEFORE TRUNCATE ON settlement_artifacts EXECUTE FUNCTION refuse_truncate();

CREATE FUNCTION artifact_chunks_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR (TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM settlement_artifacts WHERE artifact_id = NEW.artifact_id)) OR (TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM settlement_artifacts WHERE artifact_id = OLD.artifact_id)) THEN
        PERFORM refuse('artifact_fixed', 'the bytes of a stored artifact cannot change');
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER artifact_chunks_guard BEFORE INSERT OR UPDATE OR DELETE ON settlement_artifact_chunks
    FOR EACH ROW EXECUTE FUNCTION artifact_chunks_guard();
CREATE TRIGGER artifact_chunks_no_truncate BEFORE TRUNCATE ON settlement_artifact_chunks
    EXECUTE FUNCTION refuse_truncate();

CREATE TABLE pot_sizes (
    pool_id pool_id PRIMARY KEY,
    budget atoms NOT NULL,
    reserve atoms NOT NULL,
    streak integer NOT NULL CHECK (streak >= 0),
    block_number bigint NOT NULL CHECK (block_number >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pot_sizes IS 'For display: what each pool could pay tonight, as last read from the chain.';

CREATE TABLE global_stats (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_day day_id,
    day_count integer NOT NULL,
    ticket_count bigint NOT NULL,
    tip_count bigint NOT NULL,
    stake atoms NOT NULL,
    payout atoms NOT NULL,
    jackpot_payout atoms NOT NULL,
    affiliate_total atoms NOT NULL,
    charity_total atoms NOT NULL,
    net_fee atoms NOT NULL,
    winner_count bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE global_stats IS 'Dashboard totals over all settled days, recomputed as a whole each time.';

INSERT INTO schema_versions (migration_id) VALUES ('0004_settlement');
