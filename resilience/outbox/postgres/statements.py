"""Defines the SQL of an outbox in PostgreSQL. Each statement is one transaction, and is harmless when it is repeated.

`%(me)s` is the owner and `%(lease)s` the seconds of a lease. Times are the server's `clock_timestamp()`, and only
durations come from here: no clock of a client is ever compared with another.
"""

from __future__ import annotations

_LEASE = "clock_timestamp() + %(lease)s * interval '1 second'"
_COLUMNS = """key, operation, arguments, array_to_json(stamps)::text, state, extract(epoch FROM changed_at)::float8,
    account, host, process, format, key_missing::int, machine, window_seconds, owner, epoch"""
_ROW = "key = %(key)s AND operation = %(operation)s"
_HELD = f"{_ROW} AND owner = %(me)s AND epoch = %(epoch)s"
_OPEN = f"{_HELD} AND state = 'open'"

ADD = f"""
    INSERT INTO resilience_writes AS present (key, operation, arguments, stamps, state, changed_at, account, host,
        process, format, key_missing, machine, owner, epoch, lease_until, token)
    VALUES (%(key)s, %(operation)s, %(arguments)s, '{{}}', 'open', clock_timestamp(), %(account)s, %(host)s,
        %(process)s, %(format)s, false, %(machine)s, %(me)s, 1, {_LEASE}, %(token)s)
    ON CONFLICT (key, operation) DO UPDATE SET
        arguments = excluded.arguments, stamps = '{{}}', state = 'open', changed_at = excluded.changed_at,
        account = excluded.account, host = excluded.host, process = excluded.process, format = excluded.format,
        key_missing = false, window_seconds = NULL, machine = excluded.machine, owner = excluded.owner,
        lease_until = excluded.lease_until,
        token = excluded.token,
        epoch = CASE WHEN present.token = excluded.token THEN present.epoch ELSE present.epoch + 1 END
    WHERE present.state = 'failed'
        OR (present.state = 'open' AND present.owner = excluded.owner AND present.token = excluded.token)
    RETURNING epoch
"""
"""Takes the key in one statement. The token lets the same call add its row again after a lost answer."""
WITHDRAW = f"""
    UPDATE resilience_writes SET state = 'failed', changed_at = clock_timestamp()
    WHERE {_ROW} AND owner = %(me)s AND token = %(token)s AND state = 'open'
"""
TAKE = f"""
    UPDATE resilience_writes SET owner = %(me)s, epoch = epoch + 1, lease_until = {_LEASE}, token = ''
    WHERE {_ROW} AND state = 'open'
        AND ((epoch = %(epoch)s AND (owner = %(me)s OR lease_until < clock_timestamp()))
            OR (epoch = %(epoch)s + 1 AND owner = %(me)s))
    RETURNING {_COLUMNS}
"""
"""The last condition is that of a repeated statement, whose first answer was lost."""
CHECK = f"SELECT 1 FROM resilience_writes WHERE {_OPEN}"
TOUCH = f"UPDATE resilience_writes SET lease_until = {_LEASE} WHERE {_OPEN}"
SET_STAMPS = f"""
    UPDATE resilience_writes SET stamps = %(stamps)s, changed_at = clock_timestamp(), lease_until = {_LEASE}
    WHERE {_OPEN}
"""
SET_KEY_MISSING = f"UPDATE resilience_writes SET key_missing = true, changed_at = clock_timestamp() WHERE {_OPEN}"
SET_WINDOW = f"UPDATE resilience_writes SET window_seconds = %(seconds)s, changed_at = clock_timestamp() WHERE {_OPEN}"
SETTLE = f"""
    UPDATE resilience_writes SET state = %(state)s, changed_at = clock_timestamp()
    WHERE {_HELD} AND state IN ('open', %(state)s)
"""
KEEP_LEASES = f"""
    UPDATE resilience_writes SET lease_until = {_LEASE}
    FROM unnest(%(keys)s::text[], %(operations)s::text[]) AS mine (its_key, its_operation)
    WHERE key = its_key AND operation = its_operation AND owner = %(me)s AND state = 'open'
"""
RELEASE = "UPDATE resilience_writes SET lease_until = clock_timestamp() WHERE owner = %(me)s AND state = 'open'"
SELECT = f"SELECT {_COLUMNS} FROM resilience_writes WHERE {{where}} ORDER BY changed_at, key, operation"
FORGET = """
    DELETE FROM resilience_writes
    WHERE state IN ('done', 'failed') AND changed_at < clock_timestamp() - %(older_than)s * interval '1 second'
"""
