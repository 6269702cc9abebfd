"""Runs functions in processes of their own, which start together and answer with what they return."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

SPAWN = multiprocessing.get_context("spawn")


class Processes:
    """Processes that each run `function(index, start, *args)`; `start` is an event of all of them.

    Attributes:
        running: the processes.
    """

    def __init__(self, count: int, function: Callable[..., Any], *args: Any) -> None:
        self.start = SPAWN.Event()
        self._pipes = [SPAWN.Pipe() for _ in range(count)]
        self.running = [
            SPAWN.Process(target=_run, args=(pipes[1], function, index, self.start, *args), daemon=True)
            for index, pipes in enumerate(self._pipes)
        ]
        for process in self.running:
            process.start()

    def message(self, index: int) -> Any:
        """Return what a process has sent next, or what its function has returned; an error of it is raised."""
        pipe = self._pipes[index][0]
        if not pipe.poll(120):
            raise TimeoutError(f"process {index} is silent")
        message = pipe.recv()
        if isinstance(message, BaseException):
            raise message
        return message

    def messages(self) -> list[Any]:
        """Return the next message of each process."""
        return [self.message(index) for index in range(len(self.running))]

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.running:
            process.kill()
            process.join()


def _run(pipe: Any, function: Callable[..., Any], *args: Any) -> None:
    try:
        pipe.send(function(*args, pipe.send))
    except BaseException as error:
        pipe.send(error)
        raise
