"""Many labellers at once lose nothing and duplicate nothing, on SQLite and on PostgreSQL."""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from nextword.label.database import Database
from nextword.label.refusals import Conflict
from nextword.label.schema import AuditRow, LabelRow, SlotRow, TaskRow

from .conftest import Club
from .labeller import work

OVERLAP = 2
SCRIPT = Path(__file__).with_name("labeller.py")


@pytest.fixture
def club(address):
    """A club whose clock runs: what is at once cannot stand still."""
    with Database.open(address, lambda: datetime.now(UTC)) as database:
        yield Club(database, None)


def together(*works) -> list[Exception]:
    """Run the functions at the same moment, each in a thread; the exceptions they ended with."""
    barrier, failed = threading.Barrier(len(works)), []

    def run(work) -> None:
        barrier.wait()
        try:
            work()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def check(club: Club, project: int, said: dict[int, set[str]]) -> None:
    """Every task is done by exactly OVERLAP people, and every acknowledged submission is there."""
    with club.database.read() as session:
        tasks = list(session.scalars(select(TaskRow.id).where(TaskRow.project_id == project)))
        assert set(session.scalars(select(TaskRow.state))) == {"done"}
        labels = list(session.scalars(select(LabelRow).where(LabelRow.state == "submitted")))
        slots = list(session.scalars(select(SlotRow)))
        submissions = Counter(session.scalars(select(AuditRow.subject).where(AuditRow.action == "submit")))
    assert Counter(label.task_id for label in labels) == dict.fromkeys(tasks, OVERLAP)
    assert {(slot.task_id, slot.person_id) for slot in slots if slot.is_filled} == {
        (label.task_id, label.person_id) for label in labels
    }
    assert len(slots) == OVERLAP * len(tasks)
    assert submissions == {f"task {task}": OVERLAP for task in tasks}
    kept = defaultdict(set)
    for label in labels:
        kept[label.task_id].add(label.answer["messages"][0]["content"])
    assert all(texts <= kept[task] for task, texts in said.items())
    assert club.office.audit.verify().problems == ()


def heard(logs: list[Path]) -> dict[int, set[str]]:
    said = defaultdict(set)
    for log in logs:
        for line in log.read_text().splitlines() if log.exists() else ():
            entry = json.loads(line)
            said[entry["task"]].add(entry["text"])
    return said


def test_people_who_ask_at_the_same_moment_share_the_last_slots_and_nobody_gets_two(club):
    project = club.project(overlap=OVERLAP)
    club.prompts(project, 2)
    people, given = [club.person(f"p{number}") for number in range(6)], []
    failed = together(*(lambda p=p: given.append(club.office.desk.next(p, project)) for p in people))
    assert failed == []
    assert Counter(item.task for item in given if item) == {1: 2, 2: 2}


def test_two_tabs_of_one_person_get_the_same_task(club):
    project = club.project()
    club.prompts(project, 4)
    ann, given = club.person("ann"), []
    assert together(*(lambda: given.append(club.office.desk.next(ann, project).task) for _ in range(4))) == []
    assert len(set(given)) == 1


def test_two_who_submit_the_last_two_labels_at_once_finish_the_task(club):
    project = club.project(overlap=2)
    club.prompts(project, 1)
    ann, ben = club.person("ann"), club.person("ben")
    tasks = [club.office.desk.next(person, project).task for person in (ann, ben)]
    assert (
        together(*(lambda p=p: club.office.desk.submit(p, tasks[0], {"text": p.name}) for p in (ann, ben)))
        == []
    )
    assert club.state(tasks[0]) == "done"


def test_of_two_reviewers_who_decide_at_once_one_is_told_so(club):
    project = club.project(overlap=2)
    club.comparisons(project, 1)
    task = club.prefer(club.person("ann"), project, "good")
    club.prefer(club.person("ben"), project, "poor")
    reviewers = [club.person(name, "reviewer") for name in ("rex", "rae")]
    court = club.office.adjudication
    failed = together(*(lambda r=r: court.decide(r, task, {"choice": 0}) for r in reviewers))
    assert [type(error) for error in failed] == [Conflict]


def test_an_invitation_for_one_is_used_by_one(club):
    token = club.office.people.invite(club.owner, "labeller")
    from .conftest import PASSWORD

    accept = club.office.people.accept
    failed = together(*(lambda n=n: accept(token, f"p{n}", PASSWORD) for n in range(4)))
    assert len(failed) == 3
    assert len(club.office.people.accounts(club.owner)) == 2


def test_a_file_that_two_import_at_once_makes_each_task_once(club):
    project = club.project()
    assert together(*(lambda: club.prompts(project, 30) for _ in range(3))) == []
    assert club.office.queues.counts(club.owner, project).pending == 30


def test_four_labellers_in_threads_lose_and_duplicate_nothing(club, tmp_path):
    project = club.project(overlap=OVERLAP, lease_minutes=0.005)
    club.prompts(project, 8)
    people = [club.person(f"p{number}") for number in range(4)]
    logs = [tmp_path / person.name for person in people]
    failed = together(
        *(
            lambda p=p, log=log: work(club.office, p, project, log, random.Random(p.name))
            for p, log in zip(people, logs, strict=True)
        )
    )
    assert failed == []
    check(club, project, heard(logs))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_eight_labellers_some_of_them_killed_lose_and_duplicate_nothing(club, address, tmp_path, seed):
    project = club.project(overlap=OVERLAP, lease_minutes=0.005)
    club.prompts(project, 400)
    rng = random.Random(seed)
    names = [club.person(f"p{number}").name for number in range(8)]
    logs = [tmp_path / name for name in names]

    def start(at: int) -> subprocess.Popen:
        argv = [address, names[at], str(project), str(logs[at]), f"{seed} {rng.random()}"]
        return subprocess.Popen([sys.executable, SCRIPT, *argv])

    running = [start(at) for at in range(8)]
    for _ in range(6):
        time.sleep(2)
        at = rng.randrange(8)
        running[at].kill()
        running[at].wait()
        running[at] = start(at)
    assert [process.wait(300) for process in running] == [0] * 8
    check(club, project, heard(logs))
