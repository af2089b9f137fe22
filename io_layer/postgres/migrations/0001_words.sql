-- The words of the schema: domains, roles, and the one way in which a trigger refuses.
-- No percent sign may stand in these files: the migration runner would read it as a parameter.

CREATE DOMAIN wallet AS text COLLATE "C" CONSTRAINT wallet_is_lower_hex CHECK (VALUE ~ '^0x[0-9a-f]{40}$');
COMMENT ON DOMAIN wallet IS 'An address: 0x and 40 lower-case hex digits, sorted as bytes.';

-- Plain numeric and a CHECK, because numeric(78,0) would round a fraction silently instead of refusing it.
CREATE DOMAIN uint256 AS numeric
    CONSTRAINT uint256_is_whole CHECK (scale(VALUE) = 0)
    CONSTRAINT uint256_in_range CHECK
        (VALUE >= 0 AND VALUE <= 115792089237316195423570985008687907853269984665640564039457584007913129639935);
COMMENT ON DOMAIN uint256 IS 'A whole number from 0 to 2^256-1.';

CREATE DOMAIN atoms AS numeric
    CONSTRAINT atoms_are_whole CHECK (scale(VALUE) = 0)
    CONSTRAINT atoms_in_range CHECK
        (VALUE >= 0 AND VALUE <= 115792089237316195423570985008687907853269984665640564039457584007913129639935);
COMMENT ON DOMAIN atoms IS 'Money: smallest units of USDT (6 decimals), whole and never negative.';

CREATE DOMAIN hash32 AS bytea CONSTRAINT hash32_is_32_bytes CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN nonce16 AS bytea CONSTRAINT nonce16_is_16_bytes CHECK (octet_length(VALUE) = 16);
CREATE DOMAIN pool_id AS smallint CONSTRAINT pool_id_in_range CHECK (VALUE BETWEEN 0 AND 4);
CREATE DOMAIN day_id AS integer CONSTRAINT day_id_not_negative CHECK (VALUE >= 0);
CREATE DOMAIN bps AS integer CONSTRAINT bps_in_range CHECK (VALUE BETWEEN 0 AND 10000);
COMMENT ON DOMAIN day_id IS 'Whole days since 1970-01-01 UTC.';

CREATE FUNCTION bonus_tips(paid integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE WHEN paid < 5 THEN 0 ELSE 3 + 4 * ((paid - 5) / 5) END;
COMMENT ON FUNCTION bonus_tips IS 'Bonus tips that a ticket with so many paid tips carries.';

-- Every refusal of a trigger has one SQLSTATE and a stable code, which the engine shows to the operator.
CREATE FUNCTION refuse(code text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'BO001', CONSTRAINT = code, MESSAGE = message;
END $$;
COMMENT ON FUNCTION refuse IS 'Raises SQLSTATE BO001; the code travels as the constraint name.';

CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse('truncate_refused', 'table ' || TG_TABLE_NAME || ' holds money facts and is never truncated');
    RETURN NULL;
END $$;

-- One lock per day orders "seal the day" against "add a ticket of the day". 16975 is "BO" as a number.
CREATE FUNCTION lock_day(day integer, for_sealing boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF for_sealing THEN
        PERFORM pg_advisory_xact_lock(16975, day);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(16975, day);
    END IF;
END $$;

-- Group roles without login; an operator grants them to the logins of engine, App and watchdog.
-- Databases of one cluster may migrate at the same moment, so losing the race is no error.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['bo_engine', 'bo_app', 'bo_watchdog'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE 'CREATE ROLE ' || quote_ident(role_name) || ' NOLOGIN';
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END $$;

CREATE TABLE schema_versions (
    migration_id text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_versions IS
    'Migrations applied, each written in the transaction of the migration itself, so that none is ever half known.';

INSERT INTO schema_versions (migration_id) VALUES ('0001_words');
