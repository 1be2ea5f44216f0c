"""What people do: log in, write, correct, compare, rate, review, export; by keyboard, and losing nothing."""

import json
import re

import pytest
from playwright.sync_api import expect

from nextword.common.records import read_records
from nextword.label.guide import own_quiz

PASSWORD = "correct horse battery"


def begin(page, project: int) -> None:
    """From the project's page to its next task, by key."""
    page.goto(f"/label/{project}")
    start(page)


def start(page) -> None:
    """From what is shown, to the next task."""
    page.get_by_role("button", name="Start working").wait_for()
    page.keyboard.press("w")
    page.wait_for_url("**/task/*")
    page.locator(".task h1").wait_for()


def labels(studio) -> list[dict]:
    """Every answer that was handed in, as the export has it."""
    world = studio.world
    world.office.datasets.cut(world.owner, world.project, "labels", "labels", world.folder / "labels.jsonl")
    return [record["answer"] for record in read_records(world.folder / "labels.jsonl")]


def saved(studio) -> dict:
    """The one draft that bora has on the server."""
    world = studio.world
    [entry] = world.office.queues.entries(world.labeller, world.project, "draft")
    return world.office.desk.open(world.labeller, entry.task).draft


def test_a_person_logs_in_writes_an_answer_and_an_owner_exports_it(studio):
    studio.world.write("What is a tuple?")
    page = studio.page(path="/")
    page.get_by_label("Name").fill(studio.world.labeller.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=f"python-docs-{studio.world.moves}", exact=True).click()
    start(page)
    page.get_by_label("Your answer").fill("A list that cannot change.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Nothing is left for you here")).to_be_visible()

    owner = studio.page("ara", path=f"/label/{studio.world.project}/data")
    owner.get_by_role("button", name="Cut a version").click()
    with owner.expect_download() as download:
        owner.get_by_role("link", name="Download conversations version 1").click()
    record = json.loads(download.value.path().read_text("utf-8"))
    assert [turn["content"] for turn in record["messages"]] == [
        "What is a tuple?",
        "A list that cannot change.",
    ]
    assert record["meta"]["labelled"]["guide"] == 1


def test_a_refresh_in_the_middle_of_writing_loses_nothing(studio):
    studio.world.write()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.get_by_label("Your answer").press_sequentially("Half a sentence, and then")
    page.reload()  # at once, before the page had the time to save
    expect(page.get_by_label("Your answer")).to_have_value("Half a sentence, and then")
    page.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('nextword.draft'))")
    assert saved(studio) == {"text": "Half a sentence, and then"}


def test_what_is_written_while_the_server_is_away_is_sent_when_it_is_back(studio):
    studio.world.write()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.route("**/draft", lambda route: route.abort())
    page.get_by_label("Your answer").fill("written on a train")
    expect(page.locator(".saved")).to_contain_text("The server does not answer")
    page.unroute("**/draft")
    expect(page.locator(".saved")).to_contain_text("Saved at")
    assert saved(studio) == {"text": "written on a train"}


def test_two_tabs_do_not_overwrite_each_other(studio):
    studio.world.write()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Your answer").wait_for()
    page.get_by_label("Your answer").fill("first tab")
    expect(page.locator(".saved")).to_contain_text("Saved at")
    other.get_by_label("Your answer").fill("second tab")
    expect(other.locator(".saved")).to_contain_text("Another tab has saved this draft since")
    assert saved(studio) == {"text": "first tab"}


def test_a_correction_shows_what_was_changed(studio):
    studio.world.correct()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.get_by_label("The machine's answer").fill("The default of sep is a single space.")
    changes = page.get_by_label("What you changed")
    expect(changes.locator("del").first).to_have_text("an")
    expect(changes.locator("ins").first).to_have_text("a")
    expect(page.get_by_role("button", name="Good as it is")).to_be_disabled()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Nothing is left")).to_be_visible()
    [answer] = labels(studio)
    assert answer["verdict"] == "changed"
    assert answer["messages"][0]["content"] == "The default of sep is a single space."


def test_answers_are_compared_by_keyboard_only(studio):
    studio.world.add(*({"prompt": f"Question {n}?", "answers": ["yes", "no"]} for n in range(4)))
    page = studio.page(studio.world.labeller.name, path="/label")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    begin(page, studio.world.project)
    texts = []
    for key in ("1", "2", "t", "b"):
        page.get_by_role("heading", name="Which answer is better?").wait_for()
        texts.append(page.locator(".side-card .said").all_text_contents())
        asked = page.locator(".turn.user .said").inner_text()
        page.keyboard.press(key)
        if key != "b":
            expect(page.locator(".turn.user .said")).not_to_have_text(asked)
    expect(
        page.get_by_role("heading", name="Write an ideal answer")
    ).to_be_visible()  # instead of two bad ones
    found = labels(studio)
    chosen = [None if 2 not in answer["ranks"] else answer["ranks"].index(1) for answer in found[:4]]
    assert chosen[:2] == [["yes", "no"].index(texts[0][0]), ["yes", "no"].index(texts[1][1])]
    assert [answer["bad"] for answer in found[:4]] == [False, False, False, True]


def test_the_last_choice_is_taken_back_by_key(studio):
    studio.world.compare()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Nothing is left")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Which answer is better?")).to_be_visible()
    counts = studio.world.office.queues.counts(studio.world.labeller, studio.world.project)
    assert (counts.draft, counts.submitted) == (1, 0)


def test_digits_rate_one_criterion_after_the_other(studio):
    studio.world.rate()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.locator("span.what", has_text="Helpful").wait_for()
    for key in ("4", "5", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="Nothing is left")).to_be_visible()
    [answer] = labels(studio)
    assert answer == {"ratings": {"helpful": 4, "truthful": 5, "harmless": 3}}


def test_letters_are_letters_while_somebody_types(studio):
    studio.world.write()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.get_by_label("Your answer").press_sequentially("undo dogs 1 2 3 and b")
    expect(page.get_by_label("Your answer")).to_have_value("undo dogs 1 2 3 and b")
    assert "/task/" in page.url


def test_single_keys_can_be_switched_off(studio):
    studio.world.compare()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.keyboard.press("?")
    page.get_by_label("Single letters and digits work as keys").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Which answer is better?")).to_be_visible()
    assert studio.world.office.queues.counts(studio.world.labeller, studio.world.project).submitted == 0


@pytest.mark.parametrize("key,verdict", [("a", "accepted"), ("r", "rejected")])
def test_a_reviewer_decides_by_key(studio, key, verdict):
    world = studio.world
    world.office.projects.change(world.owner, world.project, review_share=1.0)
    world.write()
    world.answer(world.labeller, world.project, {"text": "An answer."})
    page = studio.page(world.person(f"eun-ji-{world.moves}", "reviewer").name)
    begin(page, world.project)
    page.keyboard.press(key)
    expect(page.get_by_role("heading", level=1)).not_to_have_text(re.compile("Review"))
    [entry] = world.office.queues.entries(world.labeller, world.project, "submitted")
    assert entry.verdict == verdict


def test_a_reviewer_amends(studio):
    world = studio.world
    world.office.projects.change(world.owner, world.project, review_share=1.0)
    world.write()
    world.answer(world.labeller, world.project, {"text": "An anser."})
    page = studio.page(world.person(f"eun-ji-{world.moves}", "reviewer").name)
    begin(page, world.project)
    page.keyboard.press("e")
    page.get_by_label("Your amended answer").fill("An answer.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Nothing is left")).to_be_visible()
    [entry] = world.office.queues.entries(world.labeller, world.project, "submitted")
    assert entry.verdict == "amended"


def test_an_invitation_leads_through_the_quiz_to_the_work(studio):
    project = studio.world.quizzed()
    studio.world.write(project=project)
    right = [question.right for question in own_quiz()]
    page = studio.page(path=f"/join/{studio.world.invitation()}")
    page.get_by_label("Name").fill(f"Hana {studio.world.moves}")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()
    page.get_by_role("heading", name="Projects").wait_for()
    page.goto(f"/label/{project}/work")
    page.wait_for_url("**/quiz")
    for number, choice in enumerate(right):
        page.locator(f"input[name=question-{number}][value='{choice}']").check()
    page.get_by_role("button", name="Hand in the answers").click()
    page.get_by_role("link", name="Start working").click()
    expect(page.get_by_role("heading", name="Write an ideal answer")).to_be_visible()


def test_an_import_makes_tasks_once(studio, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text('{"prompt": "One?"}\n{"prompt": "Two?"}\n')
    page = studio.page("ara", path=f"/label/{studio.world.project}/data")
    for words in ("2 tasks made, 0 were there already", "0 tasks made, 2 were there already"):
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Import the file").click()
        expect(page.get_by_text(words)).to_be_visible()


def test_an_invitation_is_made_and_withdrawn(studio):
    page = studio.page("ara", path="/people")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Invitation link").input_value()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("button", name="Withdraw")).to_be_hidden()
    stranger = studio.page(path=link)
    expect(stranger.get_by_role("heading", name="This invitation does not hold")).to_be_visible()


def test_the_language_is_switched_without_losing_the_draft(studio):
    studio.world.write()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.get_by_label("Your answer").fill("kept")
    page.get_by_role("button", name="한국어").click()
    expect(page.get_by_label("내 답")).to_have_value("kept")
    expect(page.locator("html")).to_have_attribute("lang", "ko")


def test_who_logs_out_leaves_no_draft_in_the_browser(studio):
    studio.world.write()
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    page.get_by_label("Your answer").fill("private")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("heading", name="Log in").wait_for()
    assert not page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('nextword.draft'))")
    assert saved(studio) == {"text": "private"}


@pytest.mark.parametrize("kind", ["write", "correct", "compare", "rate"])
def test_what_a_model_wrote_is_shown_and_never_run(studio, kind):
    evil = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
    records = {
        "write": {"prompt": evil},
        "correct": {"messages": [{"role": "user", "content": evil}, {"role": "assistant", "content": evil}]},
        "compare": {"prompt": evil, "answers": [evil, evil + "!"]},
        "rate": {"prompt": evil, "completion": evil},
    }
    studio.world.add(records[kind])
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    expect(page.locator(".said", has_text="<img src=x").first).to_be_visible()
    assert page.locator("#main img, #main script").count() == 0
    assert "owned" not in page.title()


def test_a_vote_in_the_arena_tells_who_they_were(studio):
    page = studio.page(studio.world.labeller.name, path=f"/label/{studio.world.project}/arena")
    page.get_by_label("Your question").fill("What is a tuple?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("button", name="1 is better").wait_for()
    assert "tiny-" not in page.locator("#main").inner_text()
    page.keyboard.press("1")
    expect(page.locator(".side-card h2").first).to_contain_text("tiny-")
    expect(page.get_by_role("region", name="Ratings")).to_contain_text("tiny-1")
