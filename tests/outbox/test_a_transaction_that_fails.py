"""Several states are stored in one transaction, which may fail as a whole: each is on disk before it is reported."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from resilience import NOT_FOUND, Policies, wrap
from resilience.outbox import Outbox
from resilience.outbox.outbox_file import OutboxFile, OutboxFileError


class Bot:
    """Places two orders at the same moment; neither leaves the machine."""

    def __init__(self, outbox: Outbox) -> None:
        self._writer: Any = outbox._store._writer  # type: ignore[attr-defined]
        self._here = 0
        self._is_busy, self.go_on = threading.Event(), threading.Event()

    async def place(self, *, client_id: str | None = None) -> None:
        """Fail once both are here, while the thread of the outbox is busy."""
        self._here += 1
        while self._here < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        if not self._is_busy.is_set():
            self._writer.post(self._keep_busy)
            self._is_busy.wait(60)
        raise ConnectionRefusedError("nobody listens")

    def _keep_busy(self) -> None:
        self._is_busy.set()
        self.go_on.wait(60)

    async def look_up(self, _call: Any) -> Any:
        """Find nothing."""
        return NOT_FOUND

    async def run_both(self, client: Any) -> list[Any]:
        """Return the errors of both calls, whose ends the outbox finds in its queue at once."""
        calls = [asyncio.ensure_future(client.place(client_id=key)) for key in "ab"]
        while self._here < 2 or self._writer._tickets._queue.qsize() < 2:  # noqa: ASYNC110  # set by threads
            await asyncio.sleep(0)
        self.go_on.set()
        return await asyncio.gather(*calls, return_exceptions=True)


def test_states_whose_transaction_fails(tmp_path: Path, monkeypatch: Any) -> None:
    """They are stored one by one, before the calls end: a caller may place another order instead."""
    path, commits = tmp_path / "bot.db", []
    execute = OutboxFile.execute

    def execute_with_full_disk(self: OutboxFile, statement: str, values: Any = ()) -> Any:
        if statement == "COMMIT" and bot.go_on.is_set() and not commits:
            commits.append(1)
            raise OutboxFileError("the disk is full")
        return execute(self, statement, values)

    with Outbox(path) as outbox:
        bot = Bot(outbox)
        rules = {"place": {"key": "client_id", "reconcile": bot.look_up}}
        policies = Policies.from_mapping({"policies": {"p": {"retry": "off"}}}, log=False)
        client = wrap(bot, "p", operations=rules, policies=policies, outbox=outbox)
        monkeypatch.setattr(OutboxFile, "execute", execute_with_full_disk)
        errors = asyncio.run(bot.run_both(client))
        assert (len(commits), [type(error) for error in errors]) == (1, [ConnectionRefusedError] * 2)
        with closing(sqlite3.connect(path)) as database:  # as the next process finds it after a crash
            assert database.execute("SELECT key, state FROM writes ORDER BY key").fetchall() == [
                ("a", "failed"), ("b", "failed"),
            ]  # fmt: skip
