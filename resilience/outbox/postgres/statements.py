"""Defines the SQL of an outbox in PostgreSQL. Each statement is one transaction, and is harmless when it is repeated.

`%(me)s` is the owner and `%(lease)s` the seconds of a lease. Times are the server's `clock_timestamp()`, and only
durations come from here: no clock of a client is ever compared with another.
"""

from __future__ import annotations

_DURABLE = """set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)"""
"""Returned by each change that must be on disk when it is answered. It sets the transaction of the statement itself: a
setting of the session is lost behind a pooler that gives each transaction another session."""
_LEASE = "clock_timestamp() + %(lease)s * interval '1 second'"
_COLUMNS = """key, operation, arguments, array_to_json(stamps)::text, state, extract(epoch FROM changed_at)::float8,
    account, host, process, format, key_missing::int, machine, window_seconds, owner, epoch"""
_ROW = "key = %(key)s AND operation = %(operation)s"
_HELD = f"{_ROW} AND owner = %(me)s AND epoch = %(epoch)s"
_OPEN = f"{_HELD} AND state = 'open'"

_INSERT = f"""
    INSERT INTO resilience_writes AS present (key, operation, arguments, stamps, state, changed_at, account, host,
        process, format, key_missing, machine, owner, epoch, lease_until, token, window_seconds)
    VALUES (%(key)s, %(operation)s, %(arguments)s, '{{{{}}}}', '{{state}}', clock_timestamp(), %(account)s, %(host)s,
        %(process)s, %(format)s, false, %(machine)s, %(me)s, 1, {_LEASE}, %(token)s,
        %(window)s)
"""
_SAME = "present.token = excluded.token"
_OWN = f"present.state = 'open' AND present.owner = excluded.owner AND {_SAME}"
_CALL = "ltrim({token}, '-')"  # the token without the mark of a row that was taken

ADD = f"""{_INSERT.format(state="open")}
    ON CONFLICT (key, operation) DO UPDATE SET
        arguments = excluded.arguments, state = 'open', changed_at = excluded.changed_at,
        account = excluded.account, host = excluded.host, process = excluded.process, format = excluded.format,
        machine = excluded.machine, owner = excluded.owner, lease_until = excluded.lease_until, token = excluded.token,
        stamps = CASE WHEN {_SAME} THEN present.stamps ELSE '{{}}' END,
        key_missing = {_SAME} AND present.key_missing,
        window_seconds = CASE WHEN {_SAME} THEN present.window_seconds ELSE excluded.window_seconds END,
        epoch = CASE WHEN {_SAME} THEN present.epoch ELSE present.epoch + 1 END
    WHERE (present.state = 'failed' AND {_CALL.format(token="present.token")} <> excluded.token) OR ({_OWN})
    RETURNING epoch, {_DURABLE}
"""
"""Takes the key in one statement. The token lets the same call add its row again after a lost answer, also where the
first statement arrives after the second and after a stamp. What was settled meanwhile the same call does not reopen."""
WITHDRAW = f"""{_INSERT.format(state="failed")}
    ON CONFLICT (key, operation) DO UPDATE SET
        state = 'failed', token = excluded.token, changed_at = excluded.changed_at
    WHERE present.state = 'failed' OR ({_OWN})
    RETURNING {_DURABLE}
"""
"""Leaves a row that keeps an `ADD` of this token that the network held back from opening one."""
ADDED = f"{_ROW} AND {_CALL.format(token='token')} = %(token)s AND state <> 'failed'"
TAKE = f"""
    UPDATE resilience_writes SET owner = %(me)s, epoch = epoch + 1, lease_until = {_LEASE},
        token = '-' || {_CALL.format(token="token")}
    WHERE {_ROW} AND state = 'open'
        AND ((epoch = %(epoch)s AND (owner = %(me)s OR lease_until < clock_timestamp()))
            OR (epoch = %(epoch)s + 1 AND owner = %(me)s))
    RETURNING {_COLUMNS}, {_DURABLE}
"""
"""The last condition is that of a repeated statement, whose first answer was lost."""
CHECK = f"SELECT 1 FROM resilience_writes WHERE {_OPEN}"
TOUCH = f"UPDATE resilience_writes SET lease_until = {_LEASE} WHERE {_OPEN}"
SET_STAMPS = f"""
    UPDATE resilience_writes SET changed_at = clock_timestamp(), lease_until = {_LEASE},
        stamps = ARRAY(SELECT DISTINCT unnest(stamps || %(stamps)s::float8[]) ORDER BY 1)
    WHERE {_OPEN}
    RETURNING {_DURABLE}
"""
"""Adds stamps and removes none: a statement that the network held back may arrive after one with later stamps."""
SET_KEY_MISSING = f"""
    UPDATE resilience_writes SET key_missing = true, changed_at = clock_timestamp()
    WHERE {_OPEN}
    RETURNING {_DURABLE}
"""
SET_WINDOW = f"""
    UPDATE resilience_writes SET changed_at = clock_timestamp(),
        window_seconds = greatest(window_seconds, %(seconds)s::float8)
    WHERE {_OPEN}
    RETURNING {_DURABLE}
"""
SETTLE = f"""
    UPDATE resilience_writes SET state = %(state)s, changed_at = clock_timestamp()
    WHERE {_HELD} AND state IN ('open', %(state)s)
    RETURNING {_DURABLE}
"""
KEEP_LEASES = f"""
    UPDATE resilience_writes SET lease_until = {_LEASE}
    FROM unnest(%(keys)s::text[], %(operations)s::text[]) AS mine (its_key, its_operation)
    WHERE key = its_key AND operation = its_operation AND owner = %(me)s AND state = 'open'
"""
OWNERS = """
    SELECT key, operation, owner, state <> 'open' FROM resilience_writes
    JOIN unnest(%(keys)s::text[], %(operations)s::text[]) AS its (key, operation) USING (key, operation)
"""
RELEASE = "UPDATE resilience_writes SET lease_until = clock_timestamp() WHERE owner = %(me)s AND state = 'open'"
SELECT = f"SELECT {_COLUMNS} FROM resilience_writes WHERE {{where}} ORDER BY changed_at, key, operation"
FORGET = """
    DELETE FROM resilience_writes
    WHERE state IN ('done', 'failed') AND changed_at < clock_timestamp() - %(older_than)s * interval '1 second'
"""
