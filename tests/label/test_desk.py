"""Working at the desk: reservations, drafts, submitting, discarding, taking back."""

import pytest

from nextword.common.errors import BadInput
from nextword.label.refusals import Conflict, NoSuch


@pytest.fixture
def desk(club):
    return club.office.desk


def test_the_next_task_is_reserved_and_asking_again_gives_the_same(club, desk):
    project = club.project()
    club.prompts(project, 2)
    ann, ben = club.person("ann"), club.person("ben")
    first = desk.next(ann, project)
    assert desk.next(ann, project).task == first.task
    assert desk.next(ben, project).task != first.task


def test_when_every_slot_is_reserved_there_is_no_next_task(club, desk):
    project = club.project()
    club.prompts(project, 1)
    assert desk.next(club.person("ann"), project) is not None
    assert desk.next(club.person("ben"), project) is None


def test_a_task_of_overlap_two_goes_to_two_people_and_not_to_a_third(club, desk):
    project = club.project(overlap=2)
    club.prompts(project, 1)
    tasks = [desk.next(club.person(name), project) for name in ("ann", "ben", "cem")]
    assert tasks[0].task == tasks[1].task
    assert tasks[2] is None


def test_nobody_gets_a_task_twice(club, desk):
    project = club.project(overlap=2)
    club.prompts(project, 1)
    ann = club.person("ann")
    club.answer(ann, project, {"text": "once"})
    assert desk.next(ann, project) is None


def test_a_slot_whose_lease_has_ended_goes_to_somebody_else(club, desk):
    project = club.project(lease_minutes=30)
    club.prompts(project, 1)
    ann, ben = club.person("ann"), club.person("ben")
    task = desk.next(ann, project).task
    club.clock.pass_(minutes=31)
    assert desk.next(ben, project).task == task
    assert desk.next(ann, project) is None


def test_a_holder_who_comes_back_late_keeps_the_slot_that_nobody_took(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    club.clock.pass_(days=3)
    desk.submit(ann, task, {"text": "late"})
    assert club.state(task) == "done"


def test_saving_a_draft_renews_the_lease(club, desk):
    project = club.project(lease_minutes=30)
    club.prompts(project, 1)
    ann, ben = club.person("ann"), club.person("ben")
    task = desk.next(ann, project).task
    for _ in range(4):
        club.clock.pass_(minutes=20)
        assert desk.save(ann, task, {"text": "so far"}).is_held
    assert desk.next(ben, project) is None


def test_a_crashed_browser_finds_its_draft_again(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    desk.save(ann, task, {"text": "half a sen"})
    item = desk.open(ann, task)
    assert (item.state, item.draft, item.is_held) == ("draft", {"text": "half a sen"}, True)


def test_an_older_tab_cannot_overwrite_a_newer_draft(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    item = desk.next(ann, project)
    saved = desk.save(ann, item.task, {"text": "first"}, item.revision)
    desk.save(ann, item.task, {"text": "second"}, saved.revision)
    with pytest.raises(Conflict, match="another tab"):
        desk.save(ann, item.task, {"text": "from the old tab"}, saved.revision)
    assert desk.open(ann, item.task).draft == {"text": "second"}


def test_who_lost_the_last_slot_keeps_the_answer_as_a_draft(club, desk):
    project = club.project(lease_minutes=30)
    club.prompts(project, 1)
    ann, ben = club.person("ann"), club.person("ben")
    task = desk.next(ann, project).task
    desk.save(ann, task, {"text": "slow"})
    club.clock.pass_(hours=1)
    club.answer(ben, project, {"text": "fast"})
    assert not desk.save(ann, task, {"text": "slow, but"}).is_held
    with pytest.raises(Conflict, match="your draft is kept"):
        desk.submit(ann, task, {"text": "slow, but sure"})
    assert desk.open(ann, task).draft == {"text": "slow, but sure"}
    club.office.tasks.set_overlap(club.owner, task, 2)
    desk.submit(ann, task, {"text": "slow, but sure"})
    assert club.state(task) == "done"


def test_submitting_the_same_answer_again_is_the_same_submission(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    first = desk.submit(ann, task, {"text": "yes"})
    club.clock.pass_(seconds=5)
    assert desk.submit(ann, task, {"text": "yes"}) == first
    with pytest.raises(Conflict, match="is submitted"):
        desk.submit(ann, task, {"text": "no"})


def test_an_answer_that_is_none_is_refused_and_nothing_is_submitted(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    with pytest.raises(BadInput, match="the answer"):
        desk.submit(ann, task, {"text": "   "})
    assert desk.open(ann, task).state == "pending"


@pytest.mark.parametrize("text", ["nul \0 byte", "half \ud800 pair", "x" * (1 << 20)])
def test_what_no_database_can_hold_is_refused(club, desk, text):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    with pytest.raises(BadInput):
        desk.save(ann, task, {"text": text})


def test_a_discarded_task_goes_to_others_and_not_back_to_the_same_person(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann, ben = club.person("ann"), club.person("ben")
    task = desk.next(ann, project).task
    desk.discard(ann, task, "I do not know Korean")
    assert desk.next(ann, project) is None
    assert desk.next(ben, project).task == task


def test_a_discarded_task_can_be_reopened_while_there_is_room(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    desk.save(ann, task, {"text": "hm"})
    desk.discard(ann, task)
    assert desk.reopen(ann, task).draft == {"text": "hm"}
    desk.discard(ann, task)
    club.answer(club.person("ben"), project, {"text": "mine"})
    with pytest.raises(Conflict):
        desk.reopen(ann, task)


def test_a_submitted_label_can_be_taken_back_and_changed(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = club.answer(ann, project, {"text": "wrnog"})
    item = desk.reopen(ann, task)
    assert (item.state, item.draft, club.state(task)) == ("draft", {"text": "wrnog"}, "open")
    desk.submit(ann, task, {"text": "right"})
    assert club.state(task) == "done"
    assert not club.office.audit.verify().problems


def test_a_label_that_was_exported_cannot_be_taken_back(club, desk, tmp_path):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = club.answer(ann, project, {"text": "yes"})
    club.office.datasets.cut(club.owner, project, "sft", "conversations", tmp_path / "sft.jsonl")
    with pytest.raises(Conflict, match="built on"):
        desk.reopen(ann, task)


def test_nobody_opens_a_task_that_was_not_given_to_them(club, desk):
    project = club.project()
    club.prompts(project, 1)
    task = desk.next(club.person("ann"), project).task
    with pytest.raises(NoSuch):
        desk.open(club.person("ben"), task)


def test_time_is_counted_by_signs_of_life_and_a_pause_for_two_minutes_at_most(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    club.clock.pass_(seconds=30)
    desk.touch(ann, task)
    club.clock.pass_(seconds=30)
    desk.save(ann, task, {"text": "a"})
    club.clock.pass_(minutes=25)
    assert desk.submit(ann, task, {"text": "a b"}).seconds == 30 + 30 + 120


def test_a_label_carries_the_guide_s_version_of_the_moment_it_was_submitted(club, desk):
    project = club.project()
    club.prompts(project, 1)
    ann = club.person("ann")
    task = desk.next(ann, project).task
    club.office.projects.publish(club.owner, project, {"en": "Be brief."})
    desk.submit(ann, task, {"text": "ok"})
    assert desk.open(ann, task).guide == 2


def test_a_language_narrows_down_what_is_given_out(club, desk):
    project = club.project()
    club.add(project, {"prompt": "안녕?", "lang": "ko"}, {"prompt": "hello?", "lang": "en"})
    assert desk.next(club.person("ann"), project, lang="en").lang == "en"
    assert club.office.queues.counts(club.person("ben"), project, lang="ko").pending == 1


def test_queues_count_what_is_pending_drafted_submitted_and_discarded(club, desk):
    project = club.project()
    club.prompts(project, 5)
    ann = club.person("ann")
    club.answer(ann, project, {"text": "one"})
    desk.discard(ann, desk.next(ann, project).task)
    draft = desk.next(ann, project).task
    desk.save(ann, draft, {"text": "two"})
    desk.next(ann, project)
    counts = club.office.queues.counts(ann, project)
    assert (counts.pending, counts.draft, counts.submitted, counts.discarded) == (2, 1, 1, 1)
    assert [entry.task for entry in club.office.queues.entries(ann, project, "draft")] == [draft]


def test_a_retired_task_is_not_given_out(club, desk):
    project = club.project()
    club.prompts(project, 1)
    task = club.office.tasks.find(club.owner, project)[0].id
    club.office.tasks.retire(club.owner, task)
    assert desk.next(club.person("ann"), project) is None
