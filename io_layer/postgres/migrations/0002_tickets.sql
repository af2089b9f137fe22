-- What players bought, and the frozen inputs of an exported day.
-- depends: 0001_words

CREATE TABLE tickets (
    ticket_id bigint PRIMARY KEY CHECK (ticket_id > 0),
    day_id day_id NOT NULL,
    pool_id pool_id NOT NULL,
    buyer wallet NOT NULL,
    paid_tips smallint NOT NULL CHECK (paid_tips BETWEEN 1 AND 144),
    voucher_tips smallint NOT NULL CHECK (voucher_tips BETWEEN 0 AND 255),
    affiliate wallet,
    stake atoms NOT NULL,
    tips bytea NOT NULL,
    digest hash32 NOT NULL,
    nonce nonce16 NOT NULL,
    gas_cost atoms NOT NULL,
    tx_hash hash32 NOT NULL,
    log_index integer NOT NULL CHECK (log_index >= 0),
    block_number bigint NOT NULL CHECK (block_number >= 0),
    block_hash hash32 NOT NULL,
    is_final boolean NOT NULL DEFAULT false,
    CONSTRAINT tickets_one_per_event UNIQUE (tx_hash, log_index),
    CONSTRAINT tickets_one_per_nonce UNIQUE (buyer, nonce),
    CONSTRAINT tickets_tip_count CHECK
        (paid_tips + bonus_tips(paid_tips) + voucher_tips <= 255
         AND octet_length(tips) = 8 * (paid_tips + bonus_tips(paid_tips) + voucher_tips)),
    CONSTRAINT tickets_no_self_referral CHECK (affiliate <> buyer),
    CONSTRAINT tickets_no_zero_wallet CHECK
        (buyer <> '0x0000000000000000000000000000000000000000'
         AND affiliate <> '0x0000000000000000000000000000000000000000')
);
-- Packed masks do not compress, and a million of them are read every night.
ALTER TABLE tickets ALTER COLUMN tips SET STORAGE EXTERNAL;
CREATE INDEX tickets_by_day ON tickets (day_id, ticket_id);
CREATE INDEX tickets_by_pool ON tickets (day_id, pool_id, ticket_id);
CREATE INDEX tickets_by_buyer ON tickets (buyer, day_id);
CREATE INDEX tickets_by_affiliate ON tickets (affiliate, day_id) WHERE affiliate IS NOT NULL;
CREATE INDEX tickets_not_final ON tickets (block_number) WHERE NOT is_final;
COMMENT ON TABLE tickets IS 'One row per purchase event of the GameManager. A final row never changes again.';
COMMENT ON COLUMN tickets.tips IS
    'Masks of all tips (paid, bonus, voucher), each a big-endian uint64 with bit n-1 set for number n.';
COMMENT ON COLUMN tickets.digest IS 'The running digest of day and pool after this ticket, as the chain computed it.';
COMMENT ON COLUMN tickets.is_final IS 'The block stood at or below the block that both endpoints call finalized.';

CREATE VIEW ticket_tips AS
    SELECT t.ticket_id, t.day_id, t.pool_id, t.buyer, n AS tip_index,
           CASE WHEN n < t.paid_tips THEN 'paid'
                WHEN n < t.paid_tips + bonus_tips(t.paid_tips) THEN 'bonus' ELSE 'voucher' END AS kind,
           ('x' || encode(substring(t.tips FROM 8 * n + 1 FOR 8), 'hex'))::bit(64) AS mask
      FROM tickets AS t CROSS JOIN LATERAL generate_series(0, octet_length(t.tips) / 8 - 1) AS n;
COMMENT ON VIEW ticket_tips IS 'Each single tip, unpacked: for people and for reports.';

CREATE TABLE day_inputs (
    day_id day_id NOT NULL,
    pool_id pool_id NOT NULL,
    ticket_count integer NOT NULL CHECK (ticket_count >= 0),
    tip_count integer NOT NULL CHECK (tip_count >= ticket_count),
    stake atoms NOT NULL,
    digest hash32 NOT NULL,
    carry atoms NOT NULL,
    reserve atoms NOT NULL,
    last_rollover atoms NOT NULL,
    streak integer NOT NULL CHECK (streak >= 0),
    sealed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day_id, pool_id)
);
COMMENT ON TABLE day_inputs IS
    'Frozen inputs of an exported day, five rows. While they stand, the day''s tickets cannot change.';

CREATE FUNCTION tickets_guard_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    final_id bigint;
    sealed_day integer;
BEGIN
    -- A repair from the chain says so for its own transaction; sealed days refuse it all the same.
    SELECT min(ticket_id) INTO final_id FROM old_rows
     WHERE is_final AND coalesce(current_setting('bo.repair', true), '') = '';
    IF final_id IS NOT NULL THEN
        PERFORM refuse('ticket_final', 'ticket ' || final_id || ' is final and cannot change');
    END IF;
    PERFORM lock_day(d.day, false) FROM (SELECT DISTINCT day_id::integer AS day FROM old_rows) AS d;
    SELECT min(i.day_id) INTO sealed_day FROM day_inputs AS i WHERE i.day_id IN (SELECT o.day_id FROM old_rows AS o);
    IF sealed_day IS NOT NULL THEN
        PERFORM refuse('day_sealed', 'the tickets of day ' || sealed_day || ' are sealed and cannot change');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tickets_guard_update AFTER UPDATE ON tickets
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION tickets_guard_change();
-- Finality comes with time; everything else is a fact of the chain. A row of a dropped block is deleted, not edited.
CREATE FUNCTION tickets_guard_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('ticket_fact', 'a ticket is a fact of the chain: only its final flag may be set');
    RETURN NULL;
END $$;
CREATE TRIGGER tickets_guard_facts BEFORE UPDATE OF
    ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips, digest, nonce, gas_cost,
    tx_hash, log_index, block_number, block_hash ON tickets
    FOR EACH STATEMENT EXECUTE FUNCTION tickets_guard_facts();
CREATE TRIGGER tickets_guard_delete AFTER DELETE ON tickets
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION tickets_guard_change();
CREATE TRIGGER tickets_no_truncate BEFORE TRUNCATE ON tickets EXECUTE FUNCTION refuse_truncate();

-- A lost row of a sealed day can be brought back, but never one more than were sealed. Whether it is the same row,
-- the digests tell (gate G9).
CREATE FUNCTION tickets_guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    too_many record;
BEGIN
    PERFORM lock_day(d.day, false) FROM (SELECT DISTINCT day_id::integer AS day FROM new_rows ORDER BY 1) AS d;
    FOR too_many IN
        SELECT i.day_id, i.pool_id, i.ticket_count, i.digest
          FROM day_inputs AS i
         WHERE (i.day_id, i.pool_id) IN (SELECT n.day_id, n.pool_id FROM new_rows AS n)
    LOOP
        IF (SELECT count(*) FROM tickets AS t
             WHERE t.day_id = too_many.day_id AND t.pool_id = too_many.pool_id) > too_many.ticket_count THEN
            PERFORM refuse('day_sealed', 'day ' || too_many.day_id || ' pool ' || too_many.pool_id
                           || ' is sealed with ' || too_many.ticket_count || ' tickets and takes no more');
        END IF;
        IF EXISTS (SELECT FROM new_rows AS n
                    WHERE n.day_id = too_many.day_id AND n.pool_id = too_many.pool_id AND NOT n.is_final) THEN
            PERFORM refuse('day_sealed', 'day ' || too_many.day_id || ' is sealed and takes only final tickets');
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER tickets_guard_insert AFTER INSERT ON tickets
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tickets_guard_insert();

-- A day is sealed by one statement with its five pools, and only with what the tickets really are.
CREATE FUNCTION day_inputs_guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sealed record;
    found record;
BEGIN
    PERFORM lock_day(d.day, true) FROM (SELECT DISTINCT day_id::integer AS day FROM new_rows ORDER BY 1) AS d;
    FOR sealed IN SELECT n.day_id, count(*) AS pools FROM new_rows AS n GROUP BY n.day_id LOOP
        IF sealed.pools <> 5 THEN
            PERFORM refuse('seal_incomplete', 'day ' || sealed.day_id || ' must be sealed with its five pools at once');
        END IF;
        IF EXISTS (SELECT FROM tickets AS t WHERE t.day_id = sealed.day_id AND NOT t.is_final) THEN
            PERFORM refuse('seal_not_final', 'day ' || sealed.day_id || ' has tickets that are not final');
        END IF;
    END LOOP;
    FOR sealed IN SELECT n.day_id, n.pool_id, n.ticket_count, n.tip_count, n.stake, n.digest FROM new_rows AS n LOOP
        SELECT count(*) AS ticket_count, coalesce(sum(octet_length(t.tips) / 8), 0) AS tip_count,
               coalesce(sum(t.stake), 0) AS stake
          INTO found FROM tickets AS t WHERE t.day_id = sealed.day_id AND t.pool_id = sealed.pool_id;
        IF (found.ticket_count, found.tip_count, found.stake)
           IS DISTINCT FROM (sealed.ticket_count::bigint, sealed.tip_count::bigint, sealed.stake::numeric)
           OR sealed.digest IS DISTINCT FROM coalesce(
               (SELECT t.digest::bytea FROM tickets AS t
                 WHERE t.day_id = sealed.day_id AND t.pool_id = sealed.pool_id ORDER BY t.ticket_id DESC LIMIT 1),
               decode(repeat('00', 32), 'hex')) THEN
            PERFORM refuse('seal_mismatch', 'day ' || sealed.day_id || ' pool ' || sealed.pool_id
                           || ' cannot be sealed with numbers that its tickets do not have');
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER day_inputs_guard_insert AFTER INSERT ON day_inputs
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION day_inputs_guard_insert();

CREATE FUNCTION day_inputs_guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('inputs_frozen', 'the frozen inputs of a day are replaced as a whole, never edited');
    RETURN NULL;
END $$;
CREATE TRIGGER day_inputs_guard_update BEFORE UPDATE ON day_inputs
    FOR EACH STATEMENT EXECUTE FUNCTION day_inputs_guard_update();
CREATE TRIGGER day_inputs_no_truncate BEFORE TRUNCATE ON day_inputs EXECUTE FUNCTION refuse_truncate();

CREATE TABLE day_seeds (
    day_id day_id PRIMARY KEY,
    vrf_request_id uint256,
    vrf_requested_block bigint,
    vrf_word uint256,
    drand_round bigint CHECK (drand_round > 0),
    drand_signature bytea,
    drand_randomness hash32,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT day_seeds_request_whole CHECK ((vrf_request_id IS NULL) = (vrf_requested_block IS NULL)),
    CONSTRAINT day_seeds_word_needs_request CHECK (vrf_word IS NULL OR vrf_request_id IS NOT NULL),
    CONSTRAINT day_seeds_beacon_whole CHECK
        ((drand_round IS NULL) = (drand_signature IS NULL) AND (drand_round IS NULL) = (drand_randomness IS NULL)),
    -- Not a proof of the beacon (the engine verifies that), but no stored pair can disagree with itself.
    CONSTRAINT day_seeds_randomness CHECK (drand_randomness = sha256(drand_signature))
);
COMMENT ON TABLE day_seeds IS 'Both seeds of a day. Each half is written once and never replaced.';

CREATE FUNCTION day_seeds_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('seed_written', 'the seeds of day ' || OLD.day_id || ' cannot be deleted');
    END IF;
    IF NEW.day_id <> OLD.day_id
       OR (OLD.vrf_request_id IS NOT NULL AND (NEW.vrf_request_id, NEW.vrf_requested_block)
           IS DISTINCT FROM (OLD.vrf_request_id, OLD.vrf_requested_block))
       OR (OLD.vrf_word IS NOT NULL AND NEW.vrf_word IS DISTINCT FROM OLD.vrf_word)
       OR (OLD.drand_round IS NOT NULL AND (NEW.drand_round, NEW.drand_signature, NEW.drand_randomness)
           IS DISTINCT FROM (OLD.drand_round, OLD.drand_signature, OLD.drand_randomness)) THEN
        PERFORM refuse('seed_written', 'a seed of day ' || OLD.day_id || ' is written and cannot be replaced');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER day_seeds_guard BEFORE UPDATE OR DELETE ON day_seeds
    FOR EACH ROW EXECUTE FUNCTION day_seeds_guard();
CREATE TRIGGER day_seeds_no_truncate BEFORE TRUNCATE ON day_seeds EXECUTE FUNCTION refuse_truncate();

INSERT INTO schema_versions (migration_id) VALUES ('0002_tickets');
