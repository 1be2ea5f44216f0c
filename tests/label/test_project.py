"""Projects, their guides and the quiz."""

import json

import pytest

from nextword.common.errors import BadInput, Corrupt
from nextword.label.guide import own_guide, own_quiz, read_guide, read_quiz
from nextword.label.project import Question
from nextword.label.quiz import Standing
from nextword.label.refusals import Conflict, NoSuch, NotAllowed, NotQualified

QUIZ = (
    Question(
        {"en": "Is an invented answer better than none?"}, ({"en": "yes"}, {"en": "no"}), 1, {"en": "No."}
    ),
    Question({"en": "Whose is the page?"}, ({"en": "nobody's order"}, {"en": "an order"}), 0),
)


def test_a_guide_has_versions_and_each_can_be_read_again(club):
    project = club.project()
    club.office.projects.publish(club.owner, project, {"en": "Be brief.", "ko": "짧게."})
    assert club.office.projects.guide(club.owner, project).text("ko") == "짧게."
    assert club.office.projects.guide(club.owner, project, 1).text("en") == "Be helpful."
    with pytest.raises(NoSuch):
        club.office.projects.guide(club.owner, project, 3)


def test_a_guide_without_the_reader_s_language_is_shown_in_another(club):
    project = club.office.projects.create(club.owner, "ko", {"ko": "짧게."})
    assert project.guide.text("en") == "짧게."


def test_two_projects_of_one_name_are_refused(club):
    club.project("docs")
    with pytest.raises(Conflict, match="docs already"):
        club.project("docs")


def test_settings_change_for_what_comes_next(club):
    project = club.project(overlap=1)
    club.prompts(project, 1)
    changed = club.office.projects.change(club.owner, project, overlap=3)
    club.add(project, {"prompt": "new?"})
    assert changed.settings.overlap == 3
    assert [task.overlap for task in club.office.tasks.find(club.owner, project)] == [1, 3]


@pytest.mark.parametrize(
    "settings", [{"overlap": 0}, {"lease_minutes": 0}, {"review_share": 2}, {"blind_share": float("nan")}]
)
def test_settings_out_of_range_are_refused(club, settings):
    project = club.project()
    with pytest.raises(BadInput, match="expected"):
        club.office.projects.change(club.owner, project, **settings)


def test_a_setting_that_does_not_exist_is_refused(club):
    project = club.project()
    with pytest.raises(BadInput, match="no such setting"):
        club.office.projects.change(club.owner, project, overlapp=2)


def test_only_an_owner_changes_projects_and_guides(club):
    project, ann = club.project(), club.person("ann", "reviewer")
    projects = club.office.projects
    for forbidden in (
        lambda: projects.create(ann, "mine", {"en": "x"}),
        lambda: projects.change(ann, project, overlap=2),
        lambda: projects.publish(ann, project, {"en": "x"}),
    ):
        with pytest.raises(NotAllowed):
            forbidden()


def test_nobody_labels_before_the_quiz(club):
    project, ann = club.project(quiz=QUIZ), club.person("ann")
    club.prompts(project, 1)
    with pytest.raises(NotQualified):
        club.office.desk.next(ann, project)
    result = club.office.quizzes.take(ann, project, [1, 0])
    assert (result.score, result.has_passed, result.wrong) == (1, True, ())
    assert club.office.desk.next(ann, project) is not None


def test_the_quiz_does_not_show_its_answers(club):
    project, ann = club.project(quiz=QUIZ), club.person("ann")
    asked = club.office.quizzes.quiz(ann, project)
    assert asked.questions[0].choices == ({"en": "yes"}, {"en": "no"})
    assert "right" not in repr(asked)


def test_what_was_missed_is_explained_and_tries_are_counted_and_forgiven(club):
    project, ann = club.project(quiz=QUIZ, quiz_tries=2), club.person("ann")
    quizzes = club.office.quizzes
    result = quizzes.take(ann, project, [0, 0])
    assert (result.score, result.has_passed, result.wrong, result.tries_left) == (
        0.5,
        False,
        ((0, {"en": "No."}),),
        1,
    )
    quizzes.take(ann, project, [0, 1])
    with pytest.raises(NotAllowed, match="no tries"):
        quizzes.take(ann, project, [1, 0])
    quizzes.forgive(club.owner, project, ann.id)
    assert quizzes.take(ann, project, [1, 0]).has_passed


def test_a_new_guide_may_ask_everybody_again_or_leave_them_be(club):
    project, ann = club.project(quiz=QUIZ), club.person("ann")
    club.prompts(project, 1)
    club.office.quizzes.take(ann, project, [1, 0])
    club.office.projects.publish(club.owner, project, {"en": "A typo mended."})
    assert club.office.quizzes.quiz(ann, project).has_passed
    club.office.projects.publish(club.owner, project, {"en": "New rules."}, asks_again=True)
    with pytest.raises(NotQualified):
        club.office.desk.next(ann, project)


def test_a_new_quiz_leaves_the_text_and_who_has_passed_be(club):
    project, ann = club.project(quiz=QUIZ), club.person("ann")
    club.office.quizzes.take(ann, project, [1, 0])
    made = club.office.projects.publish(club.owner, project, quiz=QUIZ[:1], pass_mark=0.5)
    assert (made.version, made.texts["en"], made.has_quiz) == (2, "Be helpful.", True)
    assert club.office.quizzes.quiz(ann, project).has_passed
    sheet = club.office.quizzes.sheet(club.owner, project)
    assert (sheet.version, sheet.questions, sheet.pass_mark) == (2, QUIZ[:1], 0.5)


def test_only_an_owner_sees_the_answers_to_the_quiz_and_how_others_fare(club):
    project, rex = club.project(quiz=QUIZ), club.person("rex", "reviewer")
    for forbidden in (club.office.quizzes.sheet, club.office.quizzes.standings):
        with pytest.raises(NotAllowed):
            forbidden(rex, project)


def test_tries_that_were_forgiven_or_are_of_an_older_asking_do_not_count(club):
    project = club.project(quiz=QUIZ, quiz_tries=2)
    ann, ben = club.person("ann"), club.person("ben")
    quizzes = club.office.quizzes
    for person, choices in ((ben, [1, 0]), (ann, [0, 1]), (ann, [0, 0])):
        quizzes.take(person, project, choices)
    assert quizzes.standings(club.owner, project) == [
        Standing(ann.id, "ann", 2, 0, 0.5, False),
        Standing(ben.id, "ben", 1, 1, 1.0, True),
    ]
    quizzes.forgive(club.owner, project, ann.id)
    assert quizzes.standings(club.owner, project)[0] == Standing(ann.id, "ann", 0, 2, 0.5, False)
    club.office.projects.publish(club.owner, project, asks_again=True)
    assert quizzes.standings(club.owner, project) == []


def test_a_choice_without_words_is_no_choice():
    with pytest.raises(BadInput, match="empty choice"):
        Question({"en": "Yes?"}, ({"en": "yes"}, {"en": ""}), 0)


def test_a_wrong_number_of_answers_is_no_try(club):
    project, ann = club.project(quiz=QUIZ), club.person("ann")
    with pytest.raises(BadInput, match="1 answers to 2 questions"):
        club.office.quizzes.take(ann, project, [1])
    assert club.office.quizzes.quiz(ann, project).tries_left == 3


def test_our_own_guide_and_quiz_are_in_both_languages():
    assert set(own_guide()) == {"en", "ko"}
    for question in own_quiz():
        words = [question.text, question.why, *question.choices]
        assert all(set(each) == {"en", "ko"} and all(each.values()) for each in words)


def test_a_guide_s_file_says_its_language_by_its_name(tmp_path):
    for name, text in (("guide.md", "Be brief."), ("guide.ko.md", "짧게.")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_guide([tmp_path / "guide.md", tmp_path / "guide.ko.md"]) == {"en": "Be brief.", "ko": "짧게."}
    with pytest.raises(BadInput, match="a second guide in en"):
        read_guide([tmp_path / "guide.md", tmp_path / "guide.md"])


def test_a_quiz_s_file_may_be_plain_text_and_a_broken_one_is_named(tmp_path):
    path = tmp_path / "quiz.json"
    path.write_text(json.dumps([{"text": "Yes?", "choices": ["yes", "no"], "right": 0}]))
    assert read_quiz(path)[0].text == {"en": "Yes?"}
    path.write_text(json.dumps([{"text": "Yes?"}]))
    with pytest.raises(Corrupt, match="not a quiz question"):
        read_quiz(path)
