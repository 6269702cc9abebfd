"""Which exceptions steer the program, and how many classes are remembered."""

from __future__ import annotations

import pytest

from resilience._core.classify.control_flow import ControlFlow, loaded_class


def http_error(module: str, **attributes: object) -> Exception:
    """Return an error of a class like a web framework's."""
    return type("HTTPException", (Exception,), {"__module__": module, **attributes})()


def test_many_classes() -> None:
    """A program that makes classes without end fills no memory, and each gets its answer."""
    flow = ControlFlow(["test_control_flow.Made"])
    for number in range(1200):
        made = type("Made" if number % 2 else "Other", (Exception,), {"__module__": "test_control_flow"})
        assert flow.includes(made()) is bool(number % 2)
    assert len(flow._answers) <= 512


@pytest.mark.parametrize(
    ("attributes", "steers"),
    [({"status_code": 404}, True), ({"code": 403}, True), ({"status_code": 500}, False), ({}, False)],
)
def test_statuses(attributes: dict[str, int], steers: bool) -> None:
    """A web framework's exception steers below 500; without a status it is an error."""
    assert ControlFlow().includes(http_error("starlette.exceptions", **attributes)) is steers


def test_whatever_the_outcome() -> None:
    """Answers, errors of the service and interrupts are no control flow."""
    assert not any(map(ControlFlow().includes, (None, {}, ConnectionError(), KeyboardInterrupt(), GeneratorExit())))


def test_classes_that_are_loaded() -> None:
    """A path is resolved only where its module is loaded, and only to a class."""
    assert loaded_class("builtins.ValueError") is ValueError
    assert loaded_class("builtins.len") is None
    assert loaded_class("no_such_module.Error") is None


def test_groups() -> None:
    """A group steers if all its members do."""
    flow = ControlFlow()
    assert flow.includes(ExceptionGroup("", [StopIteration()]))
    assert not flow.includes(ExceptionGroup("", [StopIteration(), ConnectionError()]))


def test_classes_and_modules() -> None:
    """Classes are added with their subclasses; every exception of aiohttp's server is known."""
    assert ControlFlow([LookupError]).includes(KeyError())
    assert ControlFlow().includes(http_error("aiohttp.web_exceptions"))
    assert ControlFlow(["EOFError"]).includes(EOFError())


def test_groups_that_share_their_members() -> None:
    """Each member is looked at once, however many groups have it."""
    flow = ControlFlow()
    for leaf, expected in ((StopIteration(), True), (ConnectionError(), False)):
        error: Exception = leaf
        for _ in range(40):
            error = ExceptionGroup("shared", [error, error])
        assert flow.includes(error) is expected


def test_a_chat_bot_that_stops_its_groups() -> None:
    """python-telegram-bot ends the processing of an update by an exception."""
    stop = type("ApplicationHandlerStop", (Exception,), {"__module__": "telegram.ext._application"})
    assert ControlFlow().includes(stop())
