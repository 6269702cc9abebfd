"""Lets the incident happen and draws the pictures of the docs from it: `python -m benchmarks.incident`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .pictures import messages_picture, timeline_picture
from .scenario import Incident
from .screenshots import console_in_browser

_IMAGES = Path(__file__).parents[2] / "docs" / "images"


def main() -> None:
    """Run it once, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.incident")
    parser.add_argument("--pictures", type=Path, default=_IMAGES, metavar="DIR", help="where they are written")
    folder: Path = parser.parse_args().pictures
    with Incident() as incident, console_in_browser(incident.policies, folder) as screenshots:
        incident.run(screenshots.take)
    messages = [(at - incident.began, str(body["text"])) for at, body in incident.inbound.messages]
    pictures = {
        "incident.svg": timeline_picture(incident.samples, [at for at, _ in messages]),
        "alerts.svg": messages_picture(messages),
    }
    for name, text in pictures.items():
        (folder / name).write_text(text, encoding="utf-8")
    for picture in (*map(folder.joinpath, pictures), *screenshots.pictures):
        print(picture)


if __name__ == "__main__":
    main()
