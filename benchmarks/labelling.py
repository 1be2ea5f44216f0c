"""Eight labellers at once for a minute, each a process of its own: what they lose, duplicate and wait.

    python benchmarks/labelling.py [--seconds 60] [--labellers 8] [--postgres postgresql://...] [--record]

Each takes the next task, saves a draft, submits, and writes down what was acknowledged. Then every
acknowledged answer must be in the database once, no task may have more labels than its overlap, and the
audit must verify. On SQLite always; on PostgreSQL too where an empty database's address is given.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from report import figure, record
from sqlalchemy import select

from nextword.label.office import Office
from nextword.label.person import Person
from nextword.label.project import ProjectSettings
from nextword.label.schema import LabelRow, SlotRow

OVERLAP, TASKS = 2, 3000


def now() -> datetime:
    return datetime.now(UTC)


def labeller(address: str, name: str, seconds: float, log: Path) -> None:
    """One process: label until the time is over; a line for each answer that was acknowledged."""
    waits: dict[str, list[float]] = {"next": [], "save": [], "submit": []}
    with Office.open(address, now, must_exist=True) as office, log.open("w") as said:
        person, end = office.people.named(name), time.monotonic() + seconds
        project = office.projects.all(person)[0].id
        while time.monotonic() < end:
            at = [time.perf_counter()]
            item = office.desk.next(person, project)
            at.append(time.perf_counter())
            if item is None:
                break
            text = f"{name} on {item.task}"
            office.desk.save(person, item.task, {"text": "so far"}, item.revision)
            at.append(time.perf_counter())
            office.desk.submit(person, item.task, {"text": text})
            at.append(time.perf_counter())
            said.write(json.dumps([item.task, text]) + "\n")
            for each, begun, ended in zip(waits.values(), at, at[1:], strict=False):
                each.append(ended - begun)
    log.with_suffix(".waits").write_text(json.dumps(waits))


def found_office(address: str, labellers: int) -> None:
    with Office.open(address, now) as office:
        owner = office.people.found("owner", "a long password")
        settings = ProjectSettings(overlap=OVERLAP)
        project = office.projects.create(owner, "load", {"en": "Be brief."}, settings).id
        office.intake.add(owner, project, ({"prompt": f"question {n}?"} for n in range(TASKS)))
        for number in range(labellers):
            token = office.people.invite(owner, "labeller")
            office.people.accept(token, f"p{number}", "a long password")


def faults(office: Office, logs: list[Path]) -> tuple[int, int, int]:
    """Answers that were lost, that are there twice, and entries of the audit that do not hold."""
    said = Counter(tuple(json.loads(line)) for log in logs for line in log.read_text().splitlines())
    with office.database.read() as session:
        labels = session.execute(
            select(LabelRow.task_id, LabelRow.answer).where(LabelRow.state == "submitted")
        )
        kept = Counter((task, answer["messages"][0]["content"]) for task, answer in labels)
        filled = Counter(session.scalars(select(SlotRow.task_id).where(SlotRow.is_filled)))
    twice = sum(count - 1 for count in kept.values()) + (kept - said).total()
    twice += sum(max(0, count - OVERLAP) for count in filled.values())
    return (said - kept).total(), twice, len(office.audit.verify().problems)


def measure(address: str, kind: str, labellers: int, seconds: float, folder: Path) -> list[str]:
    found_office(address, labellers)
    logs = [folder / f"{kind}-{number}.log" for number in range(labellers)]
    start = [sys.executable, __file__, "--as"]
    running = [
        subprocess.Popen([*start, address, f"p{number}", str(seconds), str(log)])
        for number, log in enumerate(logs)
    ]
    failed = sum(process.wait() != 0 for process in running)
    with Office.open(address, now, must_exist=True) as office:
        lost, twice, broken = faults(office, logs)
        person: Person | None = office.people.owner()
        assert person is not None, "it was founded above"
        done = office.figures.progress(person, office.projects.all(person)[0].id).filled
    waits = [json.loads(log.with_suffix(".waits").read_text()) for log in logs]
    lines = [
        figure(f"{kind}: labels", float(done)),
        figure(f"{kind}: labels a second", done / seconds),
        figure(f"{kind}: labellers that ended in an error", float(failed), "0", failed == 0),
        figure(f"{kind}: acknowledged answers lost", float(lost), "0", lost == 0),
        figure(f"{kind}: answers there twice, or beyond the overlap", float(twice), "0", twice == 0),
        figure(f"{kind}: faults in the audit", float(broken), "0", broken == 0),
    ]
    for step in ("next", "save", "submit"):
        each = sorted(wait for one in waits for wait in one[step])
        lines.append(figure(f"{kind}: {step}, ms, median", 1000 * statistics.median(each)))
        lines.append(figure(f"{kind}: {step}, ms, 99 of 100 within", 1000 * each[len(each) * 99 // 100]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--labellers", type=int, default=8)
    parser.add_argument("--postgres", default="", help="the address of an empty PostgreSQL database")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--as", dest="one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        address, name, seconds, log = given.one
        labeller(address, name, float(seconds), Path(log))
        return
    with tempfile.TemporaryDirectory() as folder:
        addresses = {"SQLite": str(Path(folder) / "labels.db"), "PostgreSQL": given.postgres}
        lines = [
            line
            for kind, address in addresses.items()
            if address
            for line in measure(address, kind, given.labellers, given.seconds, Path(folder))
        ]
    if given.record:
        record("labelling", lines, f"{given.labellers} labellers for {given.seconds:g} seconds.")


if __name__ == "__main__":
    main()
