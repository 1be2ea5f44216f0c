"""Progress, agreement and each person's work."""

import pytest


def test_progress_counts_tasks_slots_labels_and_minutes(club):
    project = club.project(overlap=2)
    club.prompts(project, 3)
    ann, ben = club.person("ann"), club.person("ben")
    for person in (ann, ben):
        item = club.office.desk.next(person, project)
        club.clock.pass_(seconds=90)
        club.office.desk.submit(person, item.task, {"text": "yes"})
    found = club.office.figures.progress(ann, project)
    assert found.tasks == {"write": {"done": 1, "open": 2}}
    assert (found.filled, found.slots, found.labels, found.minutes) == (2, 6, 2, 3)
    assert found.minutes_left == 4 * 1.5


def test_how_long_it_will_take_is_not_guessed_before_the_first_label(club):
    project = club.project()
    club.prompts(project, 3)
    assert club.office.figures.progress(club.owner, project).minutes_left is None


def test_agreement_is_of_each_question_that_two_people_answered(club):
    project = club.project(overlap=2)
    club.comparisons(project, 4)
    club.add(project, {"prompt": "q?", "completion": "a"})
    ann, ben = club.person("ann"), club.person("ben")
    for better in ("good", "good", "poor", "poor"):
        club.prefer(ann, project, better)
    for better in ("good", "good", "poor", "good"):
        club.prefer(ben, project, better)
    for person, rating in ((ann, 4), (ben, 5)):
        club.answer(person, project, {"ratings": dict.fromkeys(("helpful", "truthful", "harmless"), rating)})
    found = {each.question: each for each in club.office.figures.agreement(ann, project)}
    assert set(found) == {"compare", "rate: harmless", "rate: helpful", "rate: truthful"}
    compare = found["compare"]
    assert (compare.tasks, compare.people, compare.share, compare.measure) == (4, 2, 0.75, "nominal")
    assert compare.cohen is not None
    assert -1 <= compare.alpha <= 1
    assert found["rate: helpful"].measure == "ordinal"


def test_cohen_s_kappa_is_of_exactly_two_people(club):
    project = club.project(overlap=3)
    club.comparisons(project, 3)
    for name in ("ann", "ben", "cem"):
        person = club.person(name)
        for _ in range(3):
            club.prefer(person, project)
    (found,) = club.office.figures.agreement(club.owner, project)
    assert (found.people, found.cohen, found.share) == (3, None, 1)
    assert found.fleiss in (1, None)


def test_each_person_s_line_has_minutes_discards_and_agreement_with_others(club):
    project = club.project(overlap=2)
    club.comparisons(project, 3)
    ann, ben = club.person("ann"), club.person("ben")
    for better in ("good", "poor"):
        club.prefer(ann, project, better)
    club.office.desk.discard(ann, club.office.desk.next(ann, project).task)
    for _ in range(2):
        club.prefer(ben, project, "good")
    work = {each.name: each for each in club.office.figures.people(club.owner, project)}
    assert (work["ann"].submitted, work["ann"].discarded) == (2, 1)
    assert (work["ann"].agreement, work["ann"].pairs) == (0.5, 2)
    assert work["ann"].gold_interval == (0, 1)


def test_a_labeller_sees_only_their_own_line(club):
    project = club.project()
    club.prompts(project, 2)
    ann, ben = club.person("ann"), club.person("ben")
    for person in (ann, ben):
        club.answer(person, project, {"text": "yes"})
    assert [each.name for each in club.office.figures.people(ann, project)] == ["ann"]
    assert len(club.office.figures.people(club.person("rex", "reviewer"), project)) == 2


@pytest.mark.parametrize("figure", ["progress", "agreement", "people"])
def test_an_empty_project_has_figures_too(club, figure):
    assert getattr(club.office.figures, figure)(club.owner, club.project()) is not None
