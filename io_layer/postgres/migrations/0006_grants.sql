-- Who may do what. The owner of the schema migrates; engine, App and watchdog log in as members of these roles.
-- depends: 0005_chain_and_jobs

GRANT USAGE ON SCHEMA public TO bo_engine, bo_app, bo_watchdog;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO bo_engine, bo_watchdog;
GRANT INSERT, UPDATE, DELETE ON
    tickets, users, push_subscriptions, buy_intents, affiliate_rates, extra_bonus_vouchers,
    claims, claim_events, suspense_events, settlement_winner_payouts, settlement_affiliate_payouts,
    settlement_pool_results, settlement_trees, settlement_artifacts, settlement_artifact_chunks, pot_sizes, global_stats,
    event_cursors, job_runs, outbox, alerts TO bo_engine;
GRANT INSERT, UPDATE ON
    day_seeds, settlement_pipeline_runs, settlement_runs, chain_accounts, chain_transactions,
    chain_transaction_attempts, job_leases TO bo_engine;
GRANT INSERT, DELETE ON day_inputs TO bo_engine;
GRANT INSERT ON chain_nonces, audit_log TO bo_engine;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO bo_engine;

-- The App, by column and nothing else.
GRANT SELECT ON
    users, push_subscriptions, buy_intents, tickets, ticket_tips, affiliate_rates, extra_bonus_vouchers, claims,
    claim_events, day_seeds, settlement_runs, settlement_pool_results, settlement_winner_payouts,
    settlement_affiliate_payouts, settlement_trees, pot_sizes, global_stats TO bo_app;
GRANT INSERT (buyer, day_id, pool_id, paid_tips, voucher_tips, affiliate, gas_cost, deadline, nonce, tips),
      UPDATE (status, signature, tx_hash) ON buy_intents TO bo_app;
GRANT INSERT (vault, day_id, account, amount, tx_hash), UPDATE (tx_hash) ON claims TO bo_app;
GRANT INSERT (wallet, display_name, email, locale, mail_consent),
      UPDATE (display_name, email, locale, mail_consent, last_seen_at), DELETE ON users TO bo_app;
GRANT INSERT (wallet, endpoint, p256dh, auth), DELETE ON push_subscriptions TO bo_app;

-- A trigger must look at our tables, never at a temporary one of the same name that a login made for itself.
DO $$
DECLARE
    ours record;
BEGIN
    FOR ours IN
        SELECT p.oid::regprocedure::text AS signature
          FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
         WHERE p.pronamespace = 'public'::regnamespace AND l.lanname = 'plpgsql'
    LOOP
        EXECUTE 'ALTER FUNCTION ' || ours.signature || ' SET search_path = public, pg_temp';
    END LOOP;
    EXECUTE 'REVOKE TEMPORARY ON DATABASE ' || quote_ident(current_database()) || ' FROM PUBLIC';
END $$;

INSERT INTO schema_versions (migration_id) VALUES ('0006_grants');
