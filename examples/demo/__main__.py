"""`make demo`: lockgate's main job on real data, in five steps, with the embedded defaults."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from examples.demo import chapters
from examples.demo.box import Box
from examples.demo.data import bike_hire, car_loans
from examples.demo.project import PROJECT
from examples.demo.story import Story

FOLDER = Path(".demo")


def main() -> None:
    """Run the story; `--keep` leaves lockgate running until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    keep = parser.parse_args().keep
    box, story = Box(FOLDER.resolve()), Story()
    story.say("reading bike hire (17,379 hours) and car loans (50,000 loans)")
    demo = chapters.Demo(box, story, bike_hire(), car_loans())
    box.prepare(PROJECT)
    try:
        box.up(workers=2)
        demo.key = box.ask("key", "create")["key"]
        story.say(f"lockgate is up: console {box.console}, gateway {box.gateway}")
        for step in (
            chapters.first_version,
            chapters.a_leak,
            chapters.a_brittle_version,
            chapters.a_better_version,
            chapters.a_second_model,
            chapters.a_kill,
        ):
            step(demo)
        story.timeline()
        _leave(box, story, keep)
    finally:
        if demo.traffic is not None:
            demo.traffic.stop()
        box.down()


def _leave(box: Box, story: Story, keep: bool) -> None:
    story.console.print(f"\nThe console: {box.console}   home folder: {box.folder / '.lockgate'}")
    if keep:
        key = box.ask("key", "create")["key"]
        story.console.print(f"Sign in with {key}\nEverything goes on running. Ctrl-C stops it.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            story.console.print("stopping")
    else:
        story.console.print(
            "All of it is stopped. To look around: make demo KEEP=1, or cd .demo && ../.venv/bin/lockgate up"
        )


if __name__ == "__main__":
    main()
