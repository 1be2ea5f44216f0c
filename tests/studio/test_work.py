"""A labeller's work over HTTP, against a real server."""

import threading
from collections import Counter

import pytest

from .test_door import code


def next_of(browser, project: int, **how):
    answer = browser.post(f"/api/projects/{project}/next", json=how)
    assert answer.status_code == 200, answer.text
    return answer.json()["item"]


def submit(browser, task: int, **answer):
    return browser.post(f"/api/tasks/{task}/submit", json={"answer": answer})


def test_people_who_ask_at_once_never_get_the_same_last_slot(house):
    project = house.club.project()
    house.club.prompts(project, 2)
    browsers, given = [house.person(f"p{number}") for number in range(4)], []
    barrier = threading.Barrier(len(browsers))

    def ask(browser) -> None:
        barrier.wait()
        given.append(next_of(browser, project))

    threads = [threading.Thread(target=ask, args=(each,)) for each in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(item["task"] for item in given if item) == {1: 1, 2: 1}


def test_a_refreshed_browser_finds_its_task_and_its_draft(house):
    project = house.club.project()
    house.club.prompts(project, 1)
    ann = house.person("ann")
    item = next_of(ann, project)
    assert next_of(ann, project)["task"] == item["task"]
    saved = ann.put(f"/api/tasks/{item['task']}/draft", json={"draft": {"text": "half a sen"}, "revision": 0})
    again = house.enter("ann").post(f"/api/tasks/{item['task']}/open").json()
    assert (again["draft"], again["revision"]) == ({"text": "half a sen"}, saved.json()["revision"])


def test_an_older_tab_is_told_which_revision_is_newer(house):
    project = house.club.project()
    house.club.prompts(project, 1)
    ann = house.person("ann")
    draft = f"/api/tasks/{next_of(ann, project)['task']}/draft"
    ann.put(draft, json={"draft": {"text": "new"}, "revision": 0})
    answer = ann.put(draft, json={"draft": {"text": "old"}, "revision": 0})
    assert code(answer) == (409, "draft_is_newer")
    assert answer.json()["error"]["facts"] == {"revision": 1}


def test_submitting_undoing_and_discarding_move_a_task_between_queues(house):
    project = house.club.project()
    house.club.prompts(project, 1)
    ann = house.person("ann")
    task = next_of(ann, project)["task"]

    def counts():
        return list(ann.get(f"/api/projects/{project}/counts").json().values())

    assert submit(ann, task, text="yes").status_code == 200
    assert counts() == [0, 0, 1, 0]
    assert code(submit(ann, task, text="no")) == (409, "is_submitted")
    assert ann.post(f"/api/tasks/{task}/reopen").json()["draft"] == {"text": "yes"}
    assert ann.post(f"/api/tasks/{task}/discard", json={"why": "dull"}).status_code == 204
    assert counts() == [0, 0, 0, 1]
    entries = ann.get(f"/api/projects/{project}/queue/discarded").json()["entries"]
    assert [entry["task"] for entry in entries] == [task]


def test_what_was_not_answered_says_so_by_code(house):
    project = house.club.project()
    house.club.comparisons(project, 1)
    house.club.prompts(project, 1)
    ann = house.person("ann")
    compare, write = next_of(ann, project, kinds=["compare"]), next_of(ann, project, kinds=["write"])
    assert code(submit(ann, compare["task"])) == (400, "nothing_chosen")
    assert code(submit(ann, write["task"], text=" ")) == (400, "empty")


def test_both_bad_asks_somebody_to_write_a_better_one(house):
    project = house.club.project()
    house.club.comparisons(project, 1)
    ann = house.person("ann")
    item = next_of(ann, project)
    assert len(item["material"]["answers"]) == 2
    submit(ann, item["task"], choice="bad")
    asked = next_of(ann, project)
    assert asked["kind"] == "write"
    assert len(asked["about"]["bad_answers"]) == 2


def test_nobody_is_told_who_made_an_answer(house):
    project = house.club.project()
    house.club.add(
        project, {"prompt": "q?", "answers": [{"text": "a", "by": "gpt"}, {"text": "b", "by": "us"}]}
    )
    ann = house.person("ann")
    answer = ann.post(f"/api/projects/{project}/next", json={})
    assert answer.json()["item"]["kind"] == "compare"
    assert "gpt" not in answer.text


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"verdict": "accept"}, "accepted"),
        ({"verdict": "amend", "text": "b"}, "amended"),
        ({"verdict": "reject"}, "rejected"),
    ],
)
def test_a_reviewer_accepts_corrects_or_rejects(house, said, verdict):
    project = house.club.project(review_share=1)
    house.club.prompts(project, 1)
    ann, rex = house.person("ann"), house.person("rex", "reviewer")
    submit(ann, next_of(ann, project)["task"], text="a")
    item = next_of(rex, project, kinds=["review"])
    assert item["material"]["answer"]["messages"][0]["content"] == "a"
    assert submit(rex, item["task"], **said).status_code == 200
    entries = ann.get(f"/api/projects/{project}/queue/submitted").json()["entries"]
    assert [entry["verdict"] for entry in entries] == [verdict]


def test_a_disagreement_is_ended_by_a_reviewer(house):
    project = house.club.project(overlap=2)
    house.club.comparisons(project, 1)
    task = house.club.prefer(house.club.person("ann"), project, "good")
    house.club.prefer(house.club.person("ben"), project, "poor")
    rex = house.person("rex", "reviewer")
    assert [each["id"] for each in rex.get(f"/api/projects/{project}/disputes").json()["tasks"]] == [task]
    assert len(rex.get(f"/api/tasks/{task}/dispute").json()["opinions"]) == 2
    assert rex.post(f"/api/tasks/{task}/decision", json={"answer": {"choice": 0}}).status_code == 204
    assert house.club.state(task) == "done"


def test_an_answer_that_a_task_shows_is_flagged_for_correction(house):
    project = house.club.project()
    house.club.comparisons(project, 1)
    ann = house.person("ann")
    item = next_of(ann, project)
    made = ann.post(f"/api/tasks/{item['task']}/flag", json={"why": "wrong", "answer": 1})
    assert made.status_code == 201
    flagged = next_of(ann, project, kinds=["correct"])
    assert flagged["task"] == made.json()["task"]
    assert flagged["material"]["draft"] == item["material"]["answers"][1]["messages"]


def test_a_flag_keeps_which_model_said_it_but_labellers_are_not_told(house):
    project = house.club.project()
    house.club.comparisons(project, 1)
    ann, rex = house.person("ann"), house.person("rex", "reviewer")
    item = next_of(ann, project)
    texts = [each["messages"][0]["content"] for each in item["material"]["answers"]]
    at = next(n for n, text in enumerate(texts) if text.startswith("poor"))
    ann.post(f"/api/tasks/{item['task']}/flag", json={"why": "wrong", "answer": at})
    (raised,) = rex.get(f"/api/projects/{project}/flags").json()["flags"]
    assert raised["model"] == "small"
    assert "small" not in str(next_of(ann, project, kinds=["correct"]))


def test_the_quiz_comes_before_the_first_task(house):
    from nextword.label.guide import own_quiz

    project = house.club.project(quiz=own_quiz())
    house.club.prompts(project, 1)
    ann = house.person("ann")
    assert code(ann.post(f"/api/projects/{project}/next", json={})) == (403, "not_qualified")
    asked = ann.get(f"/api/projects/{project}/quiz").json()
    assert "right" not in asked["questions"][0]
    right = [each.right for each in own_quiz()]
    assert ann.post(f"/api/projects/{project}/quiz", json={"choices": right}).json()["has_passed"]
    assert next_of(ann, project)["kind"] == "write"


def test_a_battle_hides_who_answers_until_the_vote(house):
    project = house.club.project()
    ann = house.person("ann")
    answer = ann.post(f"/api/projects/{project}/battles", json={"prompt": "Can a tuple change?"})
    assert answer.status_code == 201, answer.text
    assert "brief" not in answer.text
    item = answer.json()
    assert code(ann.get(f"/api/tasks/{item['task']}/reveal")) == (404, "no_such")
    models = ann.post(f"/api/tasks/{item['task']}/vote", json={"choice": 0}).json()["models"]
    said = {"brief": "A tuple cannot change.", "long": "It cannot change, ever."}
    shown = [each["messages"][0]["content"] for each in item["material"]["answers"]]
    assert [said[model] for model in models] == shown
    ratings = ann.get(f"/api/projects/{project}/arena").json()["ratings"]
    assert ratings[0]["name"] == models[0]
