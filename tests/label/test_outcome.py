"""What follows from a label: decisions, disputes, reviews, gold items, and a better answer to write."""

import pytest

from nextword.common.errors import BadInput
from nextword.label.outcome import verdict
from nextword.label.refusals import Conflict, NotAllowed

from .conftest import comparison


def ranked(*ranks: int, **more) -> dict:
    return {"ranks": list(ranks), "bad": False, **more}


def rated(**ratings: int) -> dict:
    return {"ratings": ratings}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ranked(1, 2)], (ranked(1, 2), "single")),
        ([ranked(1, 2), ranked(1, 2)], (ranked(1, 2), "agreement")),
        ([ranked(1, 2), ranked(2, 1)], None),
        ([ranked(1, 2), ranked(2, 1), ranked(1, 2)], (ranked(1, 2), "majority")),
        ([ranked(1, 2), ranked(1, 1)], None),
        ([ranked(1, 2, 3), ranked(1, 3, 2), ranked(1, 3, 2)], (ranked(1, 3, 2), "agreement")),
        ([ranked(1, 2, margin=3), ranked(1, 2, margin=2)], (ranked(1, 2, margin=2.5), "agreement")),
    ],
)
def test_comparisons_become_one_where_all_or_more_than_half_agree_on_the_best(answers, expected):
    assert verdict("compare", "key", answers) == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([rated(true=4), rated(true=5)], (rated(true=4.5), "agreement")),
        ([rated(true=4), rated(true=4), rated(true=5)], (rated(true=4), "agreement")),
        ([rated(true=3), rated(true=5)], None),
        ([rated(true=4, kind=1), rated(true=4, kind=5)], None),
    ],
)
def test_ratings_become_their_median_where_none_are_further_than_one_apart(answers, expected):
    assert verdict("rate", "key", answers) == expected


def test_people_who_agree_decide_a_comparison(club):
    project = club.project(overlap=2)
    club.comparisons(project, 1)
    task = club.prefer(club.person("ann"), project)
    assert club.state(task) == "open"
    club.prefer(club.person("ben"), project)
    assert club.state(task) == "done"


def test_people_who_disagree_make_a_dispute_that_a_reviewer_ends(club):
    project = club.project(overlap=2)
    club.comparisons(project, 1)
    ann, ben, rex = club.person("ann"), club.person("ben"), club.person("rex", "reviewer")
    task = club.prefer(ann, project, "good")
    club.prefer(ben, project, "poor")
    court = club.office.adjudication
    assert [each.id for each in court.disputes(rex, project)] == [task]
    dispute = court.show(rex, task)
    texts = [each["messages"][0]["content"] for each in dispute.material["answers"]]
    best = [texts[opinion.answer["ranks"].index(1)] for opinion in dispute.opinions]
    assert best == ["good answer 0", "poor answer 0"]
    court.decide(rex, task, {"choice": texts.index("good answer 0")})
    decided = court.show(rex, task)
    assert (decided.state, decided.method) == ("done", "adjudication")
    assert texts[decided.decision["ranks"].index(1)] == "good answer 0"


def test_a_dispute_shows_neither_names_nor_models(club):
    project = club.project(overlap=2)
    club.comparisons(project, 1)
    task = club.prefer(club.person("ann"), project)
    club.prefer(club.person("ben"), project, "poor")
    shown = repr(club.office.adjudication.show(club.owner, task))
    assert not any(word in shown for word in ("'ann'", "'ben'", "large", "small"))


def test_who_labelled_a_task_does_not_decide_about_it_unless_they_own_the_place(club):
    project = club.project(overlap=2)
    club.comparisons(project, 1)
    rex = club.person("rex", "reviewer")
    task = club.prefer(rex, project, "good")
    club.prefer(club.owner, project, "poor")
    with pytest.raises(NotAllowed, match="who labelled"):
        club.office.adjudication.decide(rex, task, {"choice": 0})
    club.office.adjudication.decide(club.owner, task, {"choice": 0})
    actions = [e.action for e in club.office.audit.entries(club.owner, subject=f"task {task}", limit=99)]
    assert "adjudicate own" in actions


def test_a_dispute_is_decided_once(club):
    project = club.project(overlap=2)
    club.comparisons(project, 1)
    task = club.prefer(club.person("ann"), project, "good")
    club.prefer(club.person("ben"), project, "poor")
    club.office.adjudication.decide(club.person("rex", "reviewer"), task, {"choice": 0})
    with pytest.raises(Conflict, match="adjudicated already"):
        club.office.adjudication.decide(club.person("rae", "reviewer"), task, {"choice": 1})


def test_a_labeller_does_not_adjudicate(club):
    project = club.project()
    with pytest.raises(NotAllowed):
        club.office.adjudication.disputes(club.person("ann"), project)


def test_both_are_bad_makes_one_task_to_write_ahead_of_the_queue(club):
    project = club.project(overlap=2)
    club.comparisons(project, 2)
    ann, ben = club.person("ann"), club.person("ben")
    for person in (ann, ben):
        club.answer(person, project, {"choice": "bad"})
    (written,) = club.office.tasks.find(club.owner, project, kind="write")
    assert (written.source, written.overlap) == ("both_bad", 1)
    item = club.office.desk.next(ann, project)
    assert item.task == written.id
    assert sorted(item.about["bad_answers"]) == ["good answer 0", "poor answer 0"]


def test_taking_both_are_bad_back_withdraws_the_task_to_write(club):
    project = club.project()
    club.comparisons(project, 1)
    ann = club.person("ann")
    task = club.answer(ann, project, {"choice": "bad"})
    club.office.desk.reopen(ann, task)
    (written,) = club.office.tasks.find(club.owner, project, kind="write")
    assert written.state == "retired"
    club.office.desk.submit(ann, task, {"choice": "bad"})
    assert club.state(written.id) == "open"


def test_a_label_that_somebody_has_built_on_is_not_taken_back(club):
    project = club.project()
    club.comparisons(project, 1)
    ann = club.person("ann")
    task = club.answer(ann, project, {"choice": "bad"})
    club.office.desk.next(club.person("ben"), project)
    with pytest.raises(Conflict, match="begun"):
        club.office.desk.reopen(ann, task)


@pytest.fixture
def reviewed(club):
    """A project in which everything is reviewed, with an answer of ann's waiting."""
    club.here = club.project(review_share=1)
    club.prompts(club.here, 1)
    club.ann, club.rex = club.person("ann"), club.person("rex", "reviewer")
    club.task = club.answer(club.ann, club.here, {"text": "an answer"})
    return club


def verdict_of(club) -> str:
    (entry,) = club.office.queues.entries(club.ann, club.here, "submitted")
    return entry.verdict


def test_a_review_is_given_to_a_reviewer_and_never_to_the_author(reviewed):
    desk = reviewed.office.desk
    assert desk.next(reviewed.ann, reviewed.here) is None
    assert desk.next(reviewed.person("ben"), reviewed.here) is None
    item = desk.next(reviewed.rex, reviewed.here)
    assert item.kind == "review"
    assert item.material["answer"]["messages"][0]["content"] == "an answer"


def test_a_reviewer_does_not_review_their_own_answer(club):
    project = club.project(review_share=1)
    club.prompts(project, 1)
    rex = club.person("rex", "reviewer")
    club.answer(rex, project, {"text": "mine"})
    assert club.office.desk.next(rex, project) is None


@pytest.mark.parametrize(
    ("answer", "kept"),
    [({"verdict": "accept"}, "accepted"), ({"verdict": "amend", "text": "a better one"}, "amended")],
)
def test_an_accepted_or_amended_answer_counts(reviewed, answer, kept):
    assert verdict_of(reviewed) == "waiting"
    reviewed.answer(reviewed.rex, reviewed.here, answer)
    assert verdict_of(reviewed) == kept
    assert reviewed.state(reviewed.task) == "done"


def test_a_rejected_answer_opens_the_task_for_somebody_else(reviewed):
    reviewed.answer(reviewed.rex, reviewed.here, {"verdict": "reject", "note": "not on the page"})
    assert verdict_of(reviewed) == "rejected"
    desk = reviewed.office.desk
    assert desk.next(reviewed.ann, reviewed.here) is None
    assert desk.next(reviewed.person("ben"), reviewed.here).task == reviewed.task


def test_an_answer_that_was_reviewed_is_not_taken_back(reviewed):
    reviewed.answer(reviewed.rex, reviewed.here, {"verdict": "accept"})
    with pytest.raises(Conflict, match="built on"):
        reviewed.office.desk.reopen(reviewed.ann, reviewed.task)


def test_an_answer_whose_review_nobody_has_begun_is_taken_back_with_it(reviewed):
    reviewed.office.desk.reopen(reviewed.ann, reviewed.task)
    assert reviewed.office.desk.next(reviewed.rex, reviewed.here) is None
    reviewed.office.desk.submit(reviewed.ann, reviewed.task, {"text": "another answer"})
    item = reviewed.office.desk.next(reviewed.rex, reviewed.here)
    assert item.material["answer"]["messages"][0]["content"] == "another answer"


def gold(number: int) -> dict:
    return comparison(number, ranks=[1, 2])


def test_gold_items_come_now_and_then_look_like_any_other_and_are_marked(club):
    project = club.project(gold_every=2)
    club.comparisons(project, 12)
    club.add(project, *(gold(100 + number) for number in range(12)), is_gold=True)
    ann, ben = club.person("ann"), club.person("ben")
    for person, choice in ((ann, "good"), (ben, "poor")):
        for _ in range(6):
            club.prefer(person, project, choice)
    work = {each.name: each for each in club.office.figures.people(club.owner, project)}
    assert work["ann"].gold > 0
    assert work["ann"].gold_right == work["ann"].gold
    assert work["ben"].gold > 0
    assert work["ben"].gold_right == 0


def test_a_gold_item_goes_to_everybody_and_is_never_used_up(club):
    project = club.project(gold_every=1)
    club.add(project, gold(1), is_gold=True)
    tasks = {club.prefer(club.person(name), project) for name in ("ann", "ben", "cem")}
    assert len(tasks) == 1


def test_an_item_says_nothing_of_being_gold_or_of_who_made_the_answers(club):
    project = club.project(gold_every=1)
    club.add(project, gold(1), is_gold=True)
    item = club.office.desk.next(club.person("ann"), project)
    assert not any(word in repr(item) for word in ("gold", "large", "small"))


def test_a_gold_answer_is_not_taken_back_to_try_again(club):
    project = club.project(gold_every=1)
    club.add(project, gold(1), is_gold=True)
    ann = club.person("ann")
    task = club.prefer(ann, project, "poor")
    with pytest.raises(Conflict):
        club.office.desk.reopen(ann, task)


def test_what_is_written_freely_cannot_be_gold(club):
    from nextword.label.tasks import NewTask

    project = club.project()
    new = NewTask("write", [{"role": "user", "content": "Hi"}], gold={"text": "Hello"})
    with pytest.raises(BadInput, match="cannot be a gold item"):
        club.office.tasks.add(club.owner, project, new)


def test_more_people_may_be_asked_of_a_task_that_was_done(club):
    project = club.project()
    club.comparisons(project, 1)
    task = club.prefer(club.person("ann"), project)
    club.office.tasks.set_overlap(club.owner, task, 3)
    club.prefer(club.person("ben"), project, "poor")
    club.prefer(club.person("cem"), project, "good")
    assert club.office.adjudication.show(club.owner, task).method == "majority"


def test_fewer_people_may_be_asked_down_to_those_who_have_it(club):
    project = club.project(overlap=3)
    club.prompts(project, 1)
    ann = club.person("ann")
    task = club.office.desk.next(ann, project).task
    club.office.tasks.set_overlap(club.owner, task, 1)
    assert club.office.desk.next(club.person("ben"), project) is None
    club.office.desk.submit(ann, task, {"text": "done"})
    assert club.state(task) == "done"


def test_asking_fewer_people_finishes_a_task_that_they_have_all_labelled(club):
    project = club.project(overlap=3)
    club.comparisons(project, 1)
    task = club.prefer(club.person("ann"), project)
    club.office.tasks.set_overlap(club.owner, task, 1)
    assert club.state(task) == "done"
    assert club.office.adjudication.show(club.owner, task).method == "single"
