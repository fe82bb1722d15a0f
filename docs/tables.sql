-- For DuckDB (1.4 or newer): what is stored below a folder, with the columns of Athena's tables.
-- Written by `make schemas`; docs/reports.md has queries.

-- As Athena has it. All times are in UTC.
CREATE MACRO from_iso8601_timestamp(text) AS text::TIMESTAMP;

CREATE MACRO findings_of(folder) AS TABLE SELECT * EXCLUDE (run) FROM read_json(
  folder || '/findings/*/*/*.jsonl', format = 'newline_delimited',
  hive_partitioning = true, hive_types_autocast = false, columns = {
    schema_version: 'BIGINT',
    run_id: 'VARCHAR',
    scope: 'VARCHAR',
    due_at: 'VARCHAR',
    guid: 'VARCHAR',
    name: 'VARCHAR',
    owner: 'VARCHAR',
    type: 'VARCHAR',
    org: 'VARCHAR',
    space: 'VARCHAR',
    offering: 'VARCHAR',
    plan: 'VARCHAR',
    verdict: 'VARCHAR',
    reason: 'VARCHAR',
    late: 'BOOLEAN',
    change: 'VARCHAR',
    since: 'VARCHAR',
    problem_id: 'VARCHAR',
    opened_at: 'VARCHAR',
    notified_at: 'VARCHAR',
    alert: 'STRUCT(verdict VARCHAR, worsened_at VARCHAR, group_id VARCHAR, left_group_at VARCHAR, is_owed BOOLEAN, left_out BOOLEAN, named_again_at VARCHAR)',
    before: 'STRUCT(verdict VARCHAR, since VARCHAR)',
    mute: 'STRUCT(guid VARCHAR, owner VARCHAR, reason VARCHAR, until VARCHAR)',
    policy: 'STRUCT(max_age_seconds BIGINT, max_age_source VARCHAR, min_backups BIGINT, min_backups_source VARCHAR, grace_seconds BIGINT, grace_source VARCHAR)',
    policy_notes: 'VARCHAR[]',
    operation: 'STRUCT(type VARCHAR, state VARCHAR, updated_at VARCHAR)',
    evidence: 'STRUCT(http_status BIGINT, code BIGINT, title VARCHAR, detail VARCHAR, silence VARCHAR, newest_backup_at VARCHAR, newest_backup_age_seconds BIGINT, usual_interval_seconds BIGINT, backup_count BIGINT, instance_created_at VARCHAR, request_id VARCHAR, attempts BIGINT, milliseconds BIGINT, observed_at VARCHAR)'
  }
);

CREATE MACRO runs_of(folder) AS TABLE SELECT * FROM read_json(
  folder || '/runs/*/*.json', format = 'newline_delimited',
  hive_partitioning = true, hive_types_autocast = false, columns = {
    schema_version: 'BIGINT',
    foundation: 'VARCHAR',
    run_id: 'VARCHAR',
    scope: 'VARCHAR',
    due_at: 'VARCHAR',
    started_at: 'VARCHAR',
    finished_at: 'VARCHAR',
    complete: 'BOOLEAN',
    configured: 'BIGINT',
    audited: 'BIGINT',
    percent: 'DOUBLE',
    counts: 'MAP(VARCHAR, BIGINT)',
    report_key: 'VARCHAR'
  }
);
