-- Tables that the App shares with the engine: people, intents, affiliates, vouchers, claims.
-- depends: 0002_tickets

CREATE TABLE users (
    wallet wallet PRIMARY KEY,
    display_name text CHECK (length(display_name) BETWEEN 1 AND 40),
    email text CHECK (length(email) <= 254),
    locale text NOT NULL DEFAULT 'en' CHECK (locale IN ('en', 'de')),
    mail_consent boolean NOT NULL DEFAULT false,
    unsubscribe_token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE users IS 'People. The only table with personal data besides push_subscriptions; a row may be deleted.';

CREATE TABLE push_subscriptions (
    subscription_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    wallet wallet NOT NULL REFERENCES users ON DELETE CASCADE,
    endpoint text NOT NULL UNIQUE CHECK (starts_with(endpoint, 'https://') AND length(endpoint) <= 2048),
    p256dh text NOT NULL,
    auth text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE push_subscriptions IS 'Web-push endpoints of users; gone endpoints are deleted.';

CREATE TABLE buy_intents (
    intent_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    status text NOT NULL DEFAULT 'CREATED'
        CHECK (status IN ('CREATED', 'SIGNED', 'SUBMITTED', 'SEEN', 'FINAL', 'FAILED', 'EXPIRED')),
    buyer wallet NOT NULL,
    day_id day_id NOT NULL,
    pool_id pool_id NOT NULL,
    paid_tips smallint NOT NULL CHECK (paid_tips BETWEEN 1 AND 144),
    voucher_tips smallint NOT NULL CHECK (voucher_tips BETWEEN 0 AND 255),
    affiliate wallet,
    gas_cost atoms NOT NULL,
    deadline bigint NOT NULL CHECK (deadline >= 0),
    nonce nonce16 NOT NULL,
    tips bytea NOT NULL,
    signature bytea,
    tx_hash hash32,
    ticket_id bigint CONSTRAINT buy_intents_one_per_ticket UNIQUE REFERENCES tickets DEFERRABLE,
    failure_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT buy_intents_one_per_nonce UNIQUE (buyer, nonce),
    CONSTRAINT buy_intents_tip_count CHECK
        (octet_length(tips) = 8 * (paid_tips + bonus_tips(paid_tips) + voucher_tips)
         AND octet_length(tips) <= 8 * 255),
    CONSTRAINT buy_intents_signed CHECK (status <> 'SIGNED' OR signature IS NOT NULL),
    CONSTRAINT buy_intents_submitted CHECK (status <> 'SUBMITTED' OR tx_hash IS NOT NULL),
    CONSTRAINT buy_intents_seen CHECK ((status IN ('SEEN', 'FINAL')) = (ticket_id IS NOT NULL)),
    CONSTRAINT buy_intents_failed CHECK (status <> 'FAILED' OR failure_reason IS NOT NULL)
);
-- Not unique: a contract wallet may buy several tickets in one transaction.
CREATE INDEX buy_intents_by_tx ON buy_intents (tx_hash) WHERE tx_hash IS NOT NULL;
CREATE INDEX buy_intents_open ON buy_intents (status, updated_at) WHERE status NOT IN ('FINAL', 'FAILED', 'EXPIRED');
COMMENT ON TABLE buy_intents IS 'What a player wants to buy, from the click to the final ticket. docs/app.md has the states.';
COMMENT ON COLUMN buy_intents.deadline IS 'Unix seconds, as in the signed permit.';

CREATE FUNCTION buy_intents_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF OLD.status = 'FINAL' THEN
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
        ('SEEN', 'FINAL'), ('SEEN', 'SUBMITTED'), ('SEEN', 'SIGNED'), ('SEEN', 'CREATED')) THEN
        PERFORM refuse('intent_transition', 'an intent cannot move from ' || OLD.status || ' to ' || NEW.status);
    END IF;
    IF NEW.status = 'FINAL' AND NOT EXISTS (SELECT FROM tickets WHERE ticket_id = NEW.ticket_id AND is_final) THEN
        PERFORM refuse('intent_not_final', 'ticket ' || NEW.ticket_id || ' is not final');
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER buy_intents_guard BEFORE INSERT OR UPDATE OR DELETE ON buy_intents
    FOR EACH ROW EXECUTE FUNCTION buy_intents_guard();

CREATE TABLE affiliate_rates (
    referred_player wallet PRIMARY KEY,
    affiliate wallet NOT NULL CHECK (affiliate <> referred_player),
    rate_bps bps NOT NULL,
    active boolean NOT NULL DEFAULT true,
    bonus_awarded boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE affiliate_rates IS
    'Who referred whom: a mirror of the chain for display. bonus_awarded mirrors extra_bonus_vouchers.';

CREATE TABLE extra_bonus_vouchers (
    voucher_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet wallet NOT NULL,
    reason text NOT NULL CHECK (reason IN ('affiliate', 'leaderboard', 'manual')),
    period text NOT NULL,
    pool_id pool_id NOT NULL DEFAULT 0,
    voucher_tips integer NOT NULL CHECK (voucher_tips > 0),
    used_tips integer NOT NULL DEFAULT 0,
    granted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT extra_bonus_vouchers_once UNIQUE (wallet, reason, period),
    CONSTRAINT extra_bonus_vouchers_used CHECK (used_tips BETWEEN 0 AND voucher_tips)
);
COMMENT ON TABLE extra_bonus_vouchers IS 'Voucher tips granted. The row itself is the flag: once per wallet, reason and period.';

CREATE TABLE claims (
    claim_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vault wallet NOT NULL,
    day_id day_id NOT NULL,
    account wallet NOT NULL,
    amount atoms NOT NULL CHECK (amount > 0),
    status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'PAID', 'RELEASED')),
    tx_hash hash32,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX claims_one_open ON claims (vault, day_id, account) WHERE status <> 'RELEASED';
COMMENT ON TABLE claims IS 'Claims that the App sent. The chain decides: PAID when the vault says so, RELEASED when stale.';

CREATE TABLE claim_events (
    tx_hash hash32 NOT NULL,
    log_index integer NOT NULL CHECK (log_index >= 0),
    vault wallet NOT NULL,
    day_id day_id NOT NULL,
    account wallet NOT NULL,
    amount atoms NOT NULL CHECK (amount > 0),
    block_number bigint NOT NULL CHECK (block_number >= 0),
    block_hash hash32 NOT NULL,
    is_final boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tx_hash, log_index),
    CONSTRAINT claim_events_once UNIQUE (vault, day_id, account)
);
COMMENT ON TABLE claim_events IS 'Claimed events of both vaults: a wallet is paid once per vault and day.';

CREATE TABLE suspense_events (
    tx_hash hash32 NOT NULL,
    log_index integer NOT NULL CHECK (log_index >= 0),
    kind text NOT NULL CHECK (kind IN ('purchase', 'claim')),
    reason text NOT NULL,
    payload jsonb NOT NULL,
    block_number bigint NOT NULL CHECK (block_number >= 0),
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    resolved_by text,
    PRIMARY KEY (tx_hash, log_index),
    CONSTRAINT suspense_events_resolved CHECK ((resolved_at IS NULL) = (resolved_by IS NULL))
);
COMMENT ON TABLE suspense_events IS 'Chain events that could not be matched: kept and shown, never dropped.';

INSERT INTO schema_versions (migration_id) VALUES ('0003_app');
