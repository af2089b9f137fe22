-- Which day's draw the pots belong to: between midnight and the release it is still the day before.
-- depends: 0014_jobs

-- For display, and read anew within minutes; which day the old rows belonged to, nobody knows.
DELETE FROM pot_sizes;
ALTER TABLE pot_sizes ADD COLUMN IF NOT EXISTS day_id day_id NOT NULL;
COMMENT ON TABLE pot_sizes IS
    'For display: what each pool could pay in the next draw, as last read from the chain at a final block.';
COMMENT ON COLUMN pot_sizes.day_id IS 'The oldest day that is not settled: the next draw is its.';

INSERT INTO schema_versions (migration_id) VALUES ('0015_pot_days');
