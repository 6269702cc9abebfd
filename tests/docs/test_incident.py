"""The incident of the docs' pictures: it happens as the pages say, and can be drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from benchmarks.incident import Incident
from benchmarks.incident.pictures import messages_picture, timeline_picture


@pytest.mark.slow
def test_the_incident_of_the_pictures() -> None:
    """Each trouble leads to one alert with its remedy, and the pictures are well-formed and have no secret."""
    with Incident(scale=0.4) as incident:
        phases: list[str] = []
        incident.run(phases.append)
    assert [phase for phase in phases if phase != "calm"] == ["outage", "ban", "unknown order", "wrong key"]
    entries = [entry for _, body in incident.inbound.messages for entry in body["entries"]]
    ids = [entry["id"] for entry in entries]
    assert len(set(ids)) == len(ids)
    assert {"breaker_open", "hold", "write_in_doubt", "user_fixable"} <= {entry["kind"] for entry in entries}
    (wrong_key,) = (entry for entry in entries if entry["kind"] == "user_fixable")
    assert (wrong_key["code"], wrong_key["remedy"]) == ("40009", "Check secret, prehash order and query encoding")
    assert "order-unknown" in [entry["key"] for entry in entries]
    messages = [(at - incident.began, str(body["text"])) for at, body in incident.inbound.messages]
    drawn = messages_picture(messages) + timeline_picture(incident.samples, [at for at, _ in messages])
    for picture in drawn.split("</svg>")[:2]:
        ET.fromstring(f"{picture}</svg>")
    assert "Check secret" in drawn
