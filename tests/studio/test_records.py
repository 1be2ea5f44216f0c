"""An owner's work over HTTP: projects, guides, import and export, figures, audit."""

import json

from .test_door import code
from .test_work import next_of, submit


def test_a_file_goes_in_is_labelled_and_comes_out(house):
    owner, project = house.enter("owner"), house.club.project()
    lines = "".join(json.dumps({"prompt": f"질문 {n}?"}, ensure_ascii=False) + "\n" for n in range(3))
    sent = {"content": lines.encode(), "headers": {"Content-Type": "application/x-ndjson"}}
    done = owner.post(f"/api/projects/{project}/import?file=ask.jsonl", **sent).json()
    assert done == {"made": 3, "known": 0, "skipped": {}}
    submit(owner, next_of(owner, project)["task"], text="답")
    made = owner.post(f"/api/projects/{project}/datasets", json={"format": "conversations"}).json()
    again = owner.post(f"/api/projects/{project}/datasets", json={"format": "conversations"}).json()
    assert (made["records"], again["version"]) == (1, made["version"])
    file = owner.get(f"/api/datasets/{made['id']}/file")
    assert "attachment" in file.headers["content-disposition"]
    assert json.loads(file.text)["messages"][-1]["content"] == "답"
    traced = owner.get(f"/api/datasets/{made['id']}/records/0").json()["sources"]
    assert traced[0]["who"] == house.club.owner.pseudonym


def test_an_exported_file_that_was_changed_is_not_sent(house, tmp_path):
    owner, project = house.enter("owner"), house.club.project()
    house.club.prompts(project, 1)
    house.club.answer(house.club.owner, project, {"text": "a"})
    path = tmp_path / "sft.jsonl"
    made = house.club.office.datasets.cut(house.club.owner, project, "sft", "conversations", path)
    assert owner.get(f"/api/datasets/{made.id}/file").status_code == 200
    path.write_text("{}\n")
    assert code(owner.get(f"/api/datasets/{made.id}/file")) == (404, "no_such")


def test_a_file_that_holds_no_records_makes_nothing_and_says_where(house):
    owner, project = house.enter("owner"), house.club.project()
    answer = owner.post(
        f"/api/projects/{project}/import?file=x.jsonl", content=b'{"prompt": "a?"}\n{"no": 1}\n'
    )
    assert code(answer) == (400, "unusable")
    assert "record 2" in answer.json()["error"]["message"]
    assert owner.get(f"/api/projects/{project}/tasks").json()["tasks"] == []


def test_a_new_guide_is_a_new_version_and_the_old_one_can_be_read(house):
    owner, project = house.enter("owner"), house.club.project()
    answer = owner.post(f"/api/projects/{project}/guide", json={"texts": {"en": "# Be *brief*"}})
    assert answer.json()["pages"]["en"] == [["h1", {}, "Be ", ["em", {}, "brief"]]]
    assert owner.get(f"/api/projects/{project}/guide?version=1").json()["texts"]["en"] == "Be helpful."
    versions = owner.get(f"/api/projects/{project}/guides").json()["guides"]
    assert [each["version"] for each in versions] == [2, 1]


def test_settings_are_changed_one_at_a_time_and_checked(house):
    owner, project = house.enter("owner"), house.club.project(overlap=2)
    path = f"/api/projects/{project}/settings"
    assert owner.patch(path, json={"review_share": 0.5}).json()["settings"]["overlap"] == 2
    assert code(owner.patch(path, json={"review_share": 2})) == (400, "unusable")
    assert code(owner.patch(path, json={"colour": "red"})) == (422, "invalid")


def test_a_project_without_a_guide_gets_ours_in_both_languages(house):
    made = house.enter("owner").post("/api/projects", json={"name": "ours"}).json()
    assert (made["languages"], made["has_quiz"], made["is_qualified"]) == (["en", "ko"], True, True)


def test_the_figures_count_what_was_done(house):
    owner, project = house.enter("owner"), house.club.project(overlap=2)
    house.club.comparisons(project, 1)
    for name in ("ann", "ben"):
        house.club.prefer(house.club.person(name), project)
    assert owner.get(f"/api/projects/{project}/progress").json()["filled"] == 2
    [compared] = owner.get(f"/api/projects/{project}/agreement").json()["questions"]
    assert (compared["question"], compared["share"]) == ("compare", 1.0)
    assert len(owner.get(f"/api/projects/{project}/work").json()["people"]) == 2
    assert len(house.enter("ann").get(f"/api/projects/{project}/work").json()["people"]) == 1


def test_the_audit_is_read_and_checked(house):
    owner = house.enter("owner")
    house.club.project()
    entries = owner.get("/api/audit").json()["entries"]
    assert "create project" in [entry["action"] for entry in entries]
    assert owner.post("/api/audit/verify").json()["problems"] == []


def test_a_judge_s_slider_decides_and_takes_back(house):
    from nextword.label.judge import Judgement

    owner, project = house.enter("owner"), house.club.project(blind_share=0)
    house.club.comparisons(project, 2)
    judges = house.club.office.judges
    judges.prelabel(house.club.owner, project, "judge:x", lambda _: Judgement({"choice": 0}, 0.9))
    path = f"/api/projects/{project}/autonomy"
    assert owner.put(path, json={"name": "judge:x", "threshold": 0.8}).json()["decided"] == 2
    known = owner.get(f"/api/projects/{project}/judges").json()["judges"]
    assert {"name": "judge:x", "suggestions": 2, "decided": 2, "threshold": 0.8} in known
    assert len(owner.get(path, params={"name": "judge:x"}).json()["notches"]) == 21
    assert len(owner.get(f"/api/projects/{project}/alone").json()["decisions"]) == 2
    assert owner.put(path, json={"name": "judge:x", "threshold": None}).json()["taken_back"] == 2
