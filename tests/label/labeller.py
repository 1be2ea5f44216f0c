"""One labeller as a process of its own, for test_many_at_once.py: hasty, slow and forgetful by turns.

python labeller.py DATABASE PERSON PROJECT LOG SEED

Works until the project is done. Each submission that the desk has acknowledged is appended to LOG, so that
the test can look for it in the database, also when this process was killed in the middle of something.
"""

import json
import os
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from nextword.label.desk import Desk
from nextword.label.item import Item
from nextword.label.office import Office
from nextword.label.person import Person
from nextword.label.refusals import Conflict


def work(office: Office, person: Person, project: int, log: Path, rng: random.Random) -> None:
    """Take tasks, then finish drafts, until every slot of the project is filled."""
    while (progress := office.figures.progress(person, project)).filled < progress.slots:
        item = office.desk.next(person, project) or unfinished(office, person, project)
        if item is None:
            time.sleep(0.02)
            continue
        try:
            label(office.desk, person, item, log, rng)
        except Conflict:
            continue  # the slot went to somebody else; the draft is kept


def unfinished(office: Office, person: Person, project: int) -> Item | None:
    """A draft whose slot is still to be had; those of finished tasks stay drafts."""
    drafts = (entry.task for entry in office.queues.entries(person, project, "draft", limit=1000))
    return next((item for task in drafts if (item := office.desk.open(person, task)).is_held), None)


def label(desk: Desk, person: Person, item: Item, log: Path, rng: random.Random) -> None:
    """One task: drafts, perhaps a pause that outlasts the lease, and a submission, sometimes sent twice."""
    answer = {"text": f"{person.name} on {item.task}"}
    if rng.random() < 0.5:
        desk.save(person, item.task, {"text": "so far"}, item.revision)
    if rng.random() < 0.1:
        time.sleep(rng.random() * 0.3)
    desk.submit(person, item.task, answer)
    with log.open("a") as file:
        file.write(json.dumps({"task": item.task, "text": answer["text"]}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if rng.random() < 0.2:
        desk.submit(person, item.task, answer)


if __name__ == "__main__":
    address, name, project, log, seed = sys.argv[1:]
    with Office.open(address, lambda: datetime.now(UTC), must_exist=True) as office:
        work(office, office.people.named(name), int(project), Path(log), random.Random(seed))
