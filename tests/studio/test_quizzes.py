"""The quiz over HTTP: an owner writes it, labellers take it, tries are given back."""

from .test_door import code

QUESTION = {
    "text": {"en": "Is a guess an answer?", "ko": "짐작은 답입니까?"},
    "choices": [{"en": "Yes", "ko": "예"}, {"en": "No", "ko": "아니오"}],
    "right": 1,
    "why": {"en": "Say that you do not know.", "ko": "모른다고 말합니다."},
}


def test_a_quiz_is_written_and_then_asked_without_its_answers(house):
    owner, project = house.enter("owner"), house.club.project()
    made = owner.put(f"/api/projects/{project}/quiz/sheet", json={"questions": [QUESTION], "pass_mark": 1})
    assert made.json() == {"version": 2, "questions": [QUESTION], "pass_mark": 1.0}
    asked = house.person("ann").get(f"/api/projects/{project}/quiz").json()
    assert asked["questions"] == [{"text": QUESTION["text"], "choices": QUESTION["choices"]}]
    assert owner.get(f"/api/projects/{project}/guide").json()["texts"]["en"] == "Be helpful."


def test_a_question_without_a_right_choice_is_refused(house):
    owner, project = house.enter("owner"), house.club.project()
    wrong = owner.put(f"/api/projects/{project}/quiz/sheet", json={"questions": [{**QUESTION, "right": 2}]})
    assert code(wrong) == (400, "unusable")
    assert owner.get(f"/api/projects/{project}/quiz/sheet").json()["questions"] == []


def test_an_owner_sees_who_has_no_tries_left_and_gives_them_back(house):
    owner, project = house.enter("owner"), house.club.project(quiz_tries=1)
    owner.put(f"/api/projects/{project}/quiz/sheet", json={"questions": [QUESTION]})
    ann = house.person("ann")
    take = f"/api/projects/{project}/quiz"
    assert not ann.post(take, json={"choices": [0]}).json()["has_passed"]
    assert code(ann.post(take, json={"choices": [1]})) == (403, "no_tries_left")
    [standing] = owner.get(f"{take}/standings").json()["people"]
    assert (standing["name"], standing["tries_left"], standing["has_passed"]) == ("ann", 0, False)
    assert owner.post(f"{take}/forgive", json={"person": standing["person"]}).status_code == 204
    assert ann.post(take, json={"choices": [1]}).json()["has_passed"]


def test_a_labeller_neither_reads_nor_writes_the_answers_to_the_quiz(house):
    project, ann = house.club.project(), house.person("ann")
    path = f"/api/projects/{project}/quiz/sheet"
    assert code(ann.get(path)) == (403, "not_allowed")
    assert code(ann.put(path, json={"questions": [QUESTION]})) == (403, "not_allowed")
    assert code(ann.get(f"/api/projects/{project}/quiz/standings")) == (403, "not_allowed")
