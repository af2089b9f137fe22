-- What a chain that took back final blocks has moved may follow it (fault C03): where a purchase stands, the intent of a
-- purchase that is gone, a VRF request that is not answered yet. What was bought never changes.
-- depends: 0016_claims

DROP TRIGGER IF EXISTS tickets_guard_facts ON tickets;
CREATE TRIGGER tickets_guard_facts BEFORE UPDATE OF
    ticket_id, day_id, pool_id, buyer, paid_tips, voucher_tips, affiliate, stake, tips, digest, nonce, gas_cost ON tickets
    FOR EACH STATEMENT EXECUTE FUNCTION tickets_guard_facts();

CREATE OR REPLACE FUNCTION tickets_guard_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('bo.repair', true), '') = '' THEN
        PERFORM refuse('ticket_fact', 'a ticket is a fact of the chain: only its final flag may be set');
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS tickets_guard_place ON tickets;
CREATE TRIGGER tickets_guard_place BEFORE UPDATE OF tx_hash, log_index, block_number, block_hash ON tickets
    FOR EACH STATEMENT EXECUTE FUNCTION tickets_guard_place();

CREATE OR REPLACE FUNCTION tickets_guard_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    final_id bigint;
    sealed_day integer;
    repairs boolean := coalesce(current_setting('bo.repair', true), '') <> '';
BEGIN
    -- A repair from the chain says so for its own transaction. It may move a final ticket, and remove one of a day that
    -- is not sealed; no update makes a final ticket less than final.
    SELECT min(o.ticket_id) INTO final_id FROM old_rows AS o LEFT JOIN tickets AS t ON t.ticket_id = o.ticket_id
     WHERE o.is_final AND (NOT repairs OR TG_OP = 'UPDATE' AND t.is_final IS NOT TRUE);
    IF final_id IS NOT NULL THEN
        PERFORM refuse('ticket_final', 'ticket ' || final_id || ' is final and cannot change');
    END IF;
    PERFORM lock_day(d.day, false) FROM (SELECT DISTINCT day_id::integer AS day FROM old_rows ORDER BY 1) AS d;
    IF repairs AND TG_OP = 'UPDATE' THEN
        RETURN NULL;
    END IF;
    SELECT min(i.day_id) INTO sealed_day FROM day_inputs AS i WHERE i.day_id IN (SELECT o.day_id FROM old_rows AS o);
    IF sealed_day IS NOT NULL THEN
        PERFORM refuse('day_sealed', 'the tickets of day ' || sealed_day || ' are sealed and cannot change');
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION day_seeds_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse('seed_written', 'the seeds of day ' || OLD.day_id || ' cannot be deleted');
    END IF;
    -- Until its word is there a request decides nothing, and may stand in another block in the end.
    IF NEW.day_id <> OLD.day_id
       OR (OLD.vrf_request_id IS NOT NULL AND (OLD.vrf_word IS NOT NULL OR NEW.vrf_request_id IS NULL)
           AND (NEW.vrf_request_id, NEW.vrf_requested_block)
               IS DISTINCT FROM (OLD.vrf_request_id, OLD.vrf_requested_block))
       OR (OLD.vrf_word IS NOT NULL AND NEW.vrf_word IS DISTINCT FROM OLD.vrf_word)
       OR (OLD.drand_round IS NOT NULL AND (NEW.drand_round, NEW.drand_signature, NEW.drand_randomness)
           IS DISTINCT FROM (OLD.drand_round, OLD.drand_signature, OLD.drand_randomness)) THEN
        PERFORM refuse('seed_written', 'a seed of day ' || OLD.day_id || ' is written and cannot be replaced');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION buy_intents_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    by_app boolean := pg_has_role(current_user, 'bo_app', 'USAGE') AND NOT pg_has_role(current_user, 'bo_engine', 'USAGE');
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF by_app AND NEW.status <> 'CREATED' THEN
            PERFORM refuse('intent_transition', 'the App creates intents as CREATED');
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.status IN ('SUBMITTED', 'SEEN', 'FINAL') THEN
            PERFORM refuse('intent_kept', 'intent ' || OLD.intent_id || ' is ' || OLD.status || ' and is kept');
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.intent_id, NEW.buyer, NEW.day_id, NEW.pool_id, NEW.paid_tips, NEW.voucher_tips, NEW.affiliate,
        NEW.gas_cost, NEW.deadline, NEW.nonce, NEW.tips, NEW.created_at)
       IS DISTINCT FROM
       (OLD.intent_id, OLD.buyer, OLD.day_id, OLD.pool_id, OLD.paid_tips, OLD.voucher_tips, OLD.affiliate,
        OLD.gas_cost, OLD.deadline, OLD.nonce, OLD.tips, OLD.created_at) THEN
        PERFORM refuse('intent_permit_fixed', 'the permit of intent ' || OLD.intent_id || ' cannot change');
    END IF;
    -- Only a repair may take it back, of a ticket that the chain does not have any more.
    IF OLD.status = 'FINAL' AND (by_app OR coalesce(current_setting('bo.repair', true), '') = '') THEN
        PERFORM refuse('intent_transition', 'intent ' || OLD.intent_id || ' is FINAL and cannot change');
    END IF;
    IF by_app AND (OLD.status, NEW.status) NOT IN (VALUES
        ('CREATED', 'CREATED'), ('CREATED', 'SIGNED'), ('CREATED', 'SUBMITTED'), ('SIGNED', 'SIGNED'),
        ('SIGNED', 'SUBMITTED'), ('SUBMITTED', 'SUBMITTED')) THEN
        PERFORM refuse('intent_transition', 'the App may not move an intent from ' || OLD.status || ' to ' || NEW.status);
    END IF;
    -- A purchase found on the chain counts whatever we believed before, so every open or closed state may become SEEN.
    IF NEW.status <> OLD.status AND NEW.status <> 'SEEN' AND (OLD.status, NEW.status) NOT IN (VALUES
        ('CREATED', 'SIGNED'), ('CREATED', 'SUBMITTED'), ('CREATED', 'FAILED'), ('CREATED', 'EXPIRED'),
        ('SIGNED', 'SUBMITTED'), ('SIGNED', 'FAILED'), ('SIGNED', 'EXPIRED'),
        ('SUBMITTED', 'FAILED'), ('SUBMITTED', 'EXPIRED'), ('SUBMITTED', 'SIGNED'),
        ('SEEN', 'FINAL'), ('SEEN', 'SUBMITTED'), ('SEEN', 'SIGNED'), ('SEEN', 'CREATED'),
        ('FINAL', 'SUBMITTED'), ('FINAL', 'SIGNED'), ('FINAL', 'CREATED')) THEN
        PERFORM refuse('intent_transition', 'an intent cannot move from ' || OLD.status || ' to ' || NEW.status);
    END IF;
    IF NEW.status = 'FINAL' AND NOT EXISTS (SELECT FROM tickets WHERE ticket_id = NEW.ticket_id AND is_final) THEN
        PERFORM refuse('intent_not_final', 'ticket ' || NEW.ticket_id || ' is not final');
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

INSERT INTO schema_versions (migration_id) VALUES ('0017_moved');
