"""Machines that judge: suggestions, the slider of autonomy, and what it is measured by."""

import pytest

from nextword.common.errors import BadInput
from nextword.engine.fake import FakeModel
from nextword.label.autonomy import Opinion, autonomy
from nextword.label.item import is_blind
from nextword.label.judge import Judgement, Question
from nextword.label.model_judge import ModelJudge
from nextword.label.project import ProjectSettings
from nextword.label.refusals import NotAllowed
from nextword.label.schema import TaskRow


def prefers_good(question: Question) -> Judgement:
    """Sure of even questions, less so of odd ones."""
    texts = [each["messages"][0]["content"] for each in question.material["answers"]]
    number = int(texts[0].split()[-1])
    return Judgement({"choice": texts.index(f"good answer {number}")}, 0.6 if number % 2 else 0.95)


@pytest.fixture
def judged(club):
    """Twelve comparisons with a judge's opinion of each; every sixth or so is blind."""
    club.here = club.project(blind_share=0.25)
    club.comparisons(club.here, 12)
    club.judges = club.office.judges
    club.judges.prelabel(club.owner, club.here, "judge:x", prefers_good)
    with club.database.read() as session:
        settings = ProjectSettings(blind_share=0.25)
        club.blind = {task.id for task in session.query(TaskRow) if is_blind(settings, task.key)}
    assert 0 < len(club.blind) < 6
    return club


def test_the_judge_is_asked_once_about_each_task_and_not_told_who_answered(judged):
    asked = []
    judged.judges.prelabel(judged.owner, judged.here, "judge:y", lambda question: asked.append(question))
    assert len(asked) == 12
    assert not any(name in repr(asked) for name in ("large", "small"))
    assert judged.judges.prelabel(judged.owner, judged.here, "judge:x", prefers_good) == 0


def test_suggestions_are_shown_with_scores_but_not_on_blind_tasks(judged):
    ann = judged.person("ann")
    for _ in range(12):
        item = judged.office.desk.next(ann, judged.here)
        assert bool(item.suggestions) == (item.task not in judged.blind)
        for suggestion in item.suggestions:
            best = item.material["answers"][suggestion.answer["ranks"].index(1)]
            assert best["messages"][0]["content"].startswith("good")
        judged.office.desk.submit(ann, item.task, {"choice": 0})


def test_a_project_may_show_no_suggestions(club):
    project = club.project(blind_share=0, shows_suggestions=False)
    club.comparisons(project, 1)
    club.office.judges.prelabel(club.owner, project, "judge:x", prefers_good)
    assert club.office.desk.next(club.person("ann"), project).suggestions == ()


def test_at_a_threshold_it_decides_what_it_is_sure_of_and_never_a_blind_task(judged):
    moved = judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", 0.9)
    alone = judged.judges.decided_alone(judged.owner, judged.here, "judge:x")
    assert moved.decided == len(alone) > 0
    assert all(each.score == 0.95 for each in alone)
    assert not judged.blind & {each.task for each in alone}
    left = judged.office.queues.counts(judged.person("ann"), judged.here).pending
    assert left == 12 - moved.decided


def test_moving_the_slider_up_takes_decisions_back_and_none_takes_all_back(judged):
    judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", 0.5)
    all_of_them = len(judged.judges.decided_alone(judged.owner, judged.here))
    moved = judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", 0.9)
    assert 0 < moved.taken_back < all_of_them
    judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", None)
    assert judged.judges.decided_alone(judged.owner, judged.here) == []


def test_what_was_exported_stays_decided(judged, tmp_path):
    judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", 0.5)
    path = tmp_path / "c.jsonl"
    version = judged.office.datasets.cut(judged.owner, judged.here, "c", "comparisons", path)
    moved = judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", None)
    assert (moved.taken_back, moved.kept) == (0, version.records)
    assert '"machine": "judge:x"' in path.read_text()


def test_a_task_that_somebody_has_begun_is_not_decided_over_their_head(judged):
    ann = judged.person("ann")
    item = judged.office.desk.next(ann, judged.here)
    judged.office.desk.save(ann, item.task, {"choice": 1})
    judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", 0.0)
    assert item.task not in {each.task for each in judged.judges.decided_alone(judged.owner, judged.here)}


def test_the_curve_compares_with_people_on_blind_tasks_only(judged):
    for name in ("ann", "ben"):
        person = judged.person(name)
        for task in judged.blind:
            judged.office.tasks.set_overlap(judged.owner, task, 2)
        for _ in range(12):
            if judged.office.desk.next(person, judged.here) is not None:
                judged.prefer(person, judged.here)
    curve = judged.judges.autonomy(judged.owner, judged.here, "judge:x")
    assert curve.people_pairs == len(judged.blind)
    assert curve.notches[0].pairs == 2 * len(judged.blind)
    assert (curve.people, curve.notches[0].agreement) == (1, 1)


def sure(score: float, *equal: bool, is_open: bool = False) -> Opinion:
    return Opinion(score, equal, is_open)


def test_equal_quality_is_the_lowest_threshold_that_is_not_worse_than_people():
    opinions = [sure(0.95, True)] * 200 + [sure(0.5, True), sure(0.5, False)] * 50
    opinions += [sure(0.95, is_open=True)] * 30 + [sure(0.5, is_open=True)] * 70
    curve = autonomy("judge", opinions, [True] * 95 + [False] * 5, hours_each=0.1)
    assert curve.people == 0.95
    assert curve.equal_quality.threshold == 0.55
    assert curve.equal_quality.decides == 30
    assert curve.equal_quality.hours == pytest.approx(3)
    assert curve.notches[0].decides == 100


def test_a_judge_that_is_worse_than_people_gets_no_threshold():
    curve = autonomy("judge", [sure(0.9, True), sure(0.9, False)] * 50, [True] * 50, 0.1)
    assert curve.equal_quality is None


def test_a_handful_of_lucky_tasks_proves_nothing():
    assert autonomy("judge", [sure(0.9, True)] * 5, [True] * 50, 0.1).equal_quality is None


def test_without_tasks_that_two_people_labelled_there_is_no_measure():
    curve = autonomy("judge", [sure(0.9, True)] * 200, [], 0.1)
    assert (curve.people, curve.equal_quality) == (None, None)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_between_0_and_1(judged, threshold):
    with pytest.raises(BadInput):
        judged.judges.set_autonomy(judged.owner, judged.here, "judge:x", threshold)


def test_a_confidence_that_is_none_is_refused(judged):
    with pytest.raises(BadInput, match="a confidence of 7"):
        judged.judges.prelabel(judged.owner, judged.here, "z", lambda question: Judgement({"choice": 0}, 7))


def test_only_an_owner_lets_a_machine_decide(judged):
    with pytest.raises(NotAllowed):
        judged.judges.set_autonomy(judged.person("rex", "reviewer"), judged.here, "judge:x", 0.9)


def question(kind: str, **material) -> Question:
    return Question(kind, [{"role": "user", "content": "What is pi?"}], material)


def answers(*texts: str) -> list[dict]:
    return [{"messages": [{"role": "assistant", "content": text}]} for text in texts]


def test_a_language_model_judges_by_its_probabilities_in_both_orders():
    model = FakeModel(
        lambda request: " A" if request.prompt.index("3.14") < request.prompt.index("four") else " B"
    )
    found = ModelJudge(model)(question("compare", answers=answers("four", "3.14")))
    assert found.answer == {"ranks": [2, 1]}
    assert found.score == pytest.approx(0.9)


def test_a_model_that_only_likes_the_first_place_is_sure_of_nothing():
    found = ModelJudge(FakeModel(" A"))(question("compare", answers=answers("four", "3.14")))
    assert found.score == pytest.approx(0.5)


def test_a_language_model_ranks_four_answers():
    def longer(request) -> str:
        first, second = request.prompt.split("Answer A:\n")[1].split("\n\nAnswer B:\n")
        return " A" if len(first) > len(second.split("\n\n")[0]) else " B"

    found = ModelJudge(FakeModel(longer))(question("compare", answers=answers("aaa", "a", "aaaa", "aa")))
    assert found.answer == {"ranks": [2, 4, 1, 3]}


def test_a_language_model_rates_by_the_mean_of_its_probabilities():
    rate = question("rate", answer=answers("3.14")[0], criteria=["truthful"], low=1, high=5)
    found = ModelJudge(FakeModel(" 4"))(rate)
    assert found.answer == {"ratings": {"truthful": 4}}
    assert found.score == pytest.approx((0.9 + 0.2) / (0.9 + 0.4))


def test_a_language_model_has_no_opinion_of_what_it_cannot_judge():
    assert ModelJudge(FakeModel(" A"))(question("write")) is None


def test_a_language_model_s_judgements_can_be_kept(judged):
    judge = ModelJudge(FakeModel(" A", name="tiny"))
    assert judge.name == "judge:tiny"
    assert judged.judges.prelabel(judged.owner, judged.here, judge.name, judge) == 12
