-- The block time of the VRF request decides the day's drand round, so it is kept with the seeds.
-- depends: 0018_voided

ALTER TABLE day_seeds ADD COLUMN IF NOT EXISTS vrf_requested_at bigint CHECK (vrf_requested_at > 0);
COMMENT ON COLUMN day_seeds.vrf_requested_at IS 'Block time of the VRF request in unix seconds, read at a final block.';
-- NOT VALID: rows of contracts that fixed the round by the close alone lack it, and no day of theirs is computed here.
ALTER TABLE day_seeds DROP CONSTRAINT IF EXISTS day_seeds_request_time;
ALTER TABLE day_seeds ADD CONSTRAINT day_seeds_request_time
    CHECK ((vrf_request_id IS NULL) = (vrf_requested_at IS NULL)) NOT VALID;
ALTER TABLE day_seeds DROP CONSTRAINT IF EXISTS day_seeds_beacon_needs_request;
ALTER TABLE day_seeds ADD CONSTRAINT day_seeds_beacon_needs_request
    CHECK (drand_round IS NULL OR vrf_requested_at IS NOT NULL) NOT VALID;

CREATE OR REPLACE FUNCTION day_seeds_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moves boolean := (NEW.vrf_request_id, NEW.vrf_requested_block, NEW.vrf_requested_at)
        IS DISTINCT FROM (OLD.vrf_request_id, OLD.vrf_requested_block, OLD.vrf_requested_at);
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('seed_written', 'the seeds of day ' || OLD.day_id || ' cannot be deleted');
    END IF;
    -- Until its word is there a request decides nothing, and may stand in another block in the end. Its beacon goes with
    -- it: another block time may give another drand round.
    IF NEW.day_id <> OLD.day_id
       OR (OLD.vrf_request_id IS NOT NULL AND moves AND (OLD.vrf_word IS NOT NULL OR NEW.vrf_request_id IS NULL))
       OR (OLD.vrf_word IS NOT NULL AND NEW.vrf_word IS DISTINCT FROM OLD.vrf_word)
       OR (OLD.drand_round IS NOT NULL AND (NEW.drand_round, NEW.drand_signature, NEW.drand_randomness)
           IS DISTINCT FROM (OLD.drand_round, OLD.drand_signature, OLD.drand_randomness)
           AND NOT (moves AND OLD.vrf_word IS NULL AND NEW.drand_round IS NULL)) THEN
        PERFORM refuse('seed_written', 'a seed of day ' || OLD.day_id || ' is written and cannot be replaced');
    END IF;
    RETURN NEW;
END $$;

INSERT INTO schema_versions (migration_id) VALUES ('0019_seed_request_time');
