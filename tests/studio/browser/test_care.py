"""What people do about mistakes: flag an answer, write the quiz, give tries back, trace a record; by key."""

from playwright.sync_api import expect

from nextword.label.guide import own_quiz

from .test_pages import axe
from .test_work import begin


def flag(page, why: str) -> None:
    """Fill in the open dialog from where the focus is, and send it by key."""
    page.get_by_role("dialog").wait_for()
    assert axe(page) == []
    page.keyboard.press("Tab")
    page.keyboard.type(why)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts").get_by_text("Flagged: task")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()


def flagged(studio) -> tuple[str, str]:
    """The answer that is to be corrected now, and why."""
    world = studio.world
    item = world.office.desk.next(world.owner, world.project, ["correct"])
    return item.material["draft"][0]["content"], item.about["flag"]["why"]


def test_an_answer_is_flagged_by_keyboard_only(studio):
    studio.world.add({"prompt": "Two and two?", "answers": ["Four.", "Five."]})
    page = studio.page(studio.world.labeller.name)
    begin(page, studio.world.project)
    shown = page.locator(".side-card .said").all_text_contents()
    page.keyboard.press("f")
    expect(page.get_by_label("Answer 1", exact=True).and_(page.get_by_role("radio"))).to_be_focused()
    page.keyboard.press("ArrowDown")
    flag(page, "not what adding gives")
    assert flagged(studio) == (shown[1], "not what adding gives")
    page.keyboard.press("1")  # the task itself goes on as if nothing had been
    expect(page.get_by_role("heading", name="Nothing is left")).to_be_visible()


def test_a_loser_of_the_arena_is_flagged_after_the_vote(studio):
    page = studio.page(studio.world.labeller.name, path=f"/label/{studio.world.project}/arena")
    page.get_by_label("Your question").fill("What is a tuple?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("button", name="2 is better").wait_for()
    shown = page.locator(".side-card .said").all_text_contents()
    expect(page.get_by_role("button", name="Flag an answer")).to_be_hidden()
    page.keyboard.press("2")
    page.get_by_role("button", name="Flag an answer").wait_for()
    page.keyboard.press("f")
    page.keyboard.press("Space")
    flag(page, "wrong")
    assert flagged(studio) == (shown[0], "wrong")


def test_a_reviewer_flags_an_answer_that_others_judged(studio):
    world = studio.world
    world.rate()
    task = world.answer(
        world.labeller, world.project, {"ratings": {"helpful": 1, "truthful": 1, "harmless": 5}}
    )
    page = studio.page(world.person(f"eun-ji-{world.moves}", "reviewer").name)
    page.goto(f"/label/{world.project}/dispute/{task}")
    page.get_by_role("button", name="Flag an answer").click()
    page.get_by_label("What is wrong with it?").fill("not true")
    page.get_by_role("dialog").get_by_role("button", name="Flag an answer").click()
    expect(page.locator("#toasts").get_by_text("Flagged: task")).to_be_visible()
    assert flagged(studio) == ("A single space.", "not true")


def test_tries_are_given_back_to_who_has_none_left(studio):
    world = studio.world
    project = world.quizzed()
    wrong = [(question.right + 1) % len(question.choices) for question in own_quiz()]
    for _ in range(3):
        world.office.quizzes.take(world.labeller, project, wrong)
    page = studio.page("ara", path=f"/label/{project}/settings")
    page.get_by_role("button", name=f"Give {world.labeller.name} the tries back").click()
    expect(page.locator("#toasts").get_by_text("The tries are given back")).to_be_visible()
    expect(page.get_by_role("button", name=f"Give {world.labeller.name} the tries back")).to_be_hidden()
    assert world.office.quizzes.quiz(world.labeller, project).tries_left == 3


def test_an_owner_writes_a_quiz_and_a_labeller_is_asked_it(studio):
    world = studio.world
    page = studio.page("ara", path=f"/label/{world.project}/settings")
    page.get_by_role("link", name="Write the quiz").click()
    page.get_by_role("button", name="Add a question").wait_for()
    page.keyboard.press("q")
    question = page.get_by_role("group", name="Question 1")
    expect(question.get_by_label("The question (English)")).to_be_focused()
    question.get_by_role("button", name="Add a choice").click()
    for lang, words in (
        ("English", ("Is a guess an answer?", "Yes", "No", "Now and then")),
        ("한국어", ("짐작은 답입니까?", "예", "아니오", "때때로")),
    ):
        question.get_by_label(f"The question ({lang})").fill(words[0])
        for number, text in enumerate(words[1:], 1):
            question.get_by_label(f"Choice {number} ({lang})").fill(text)
    question.get_by_label("This one is right").nth(1).check()
    question.get_by_role("button", name="Take away choice 1").click()  # the right one stays the right one
    assert axe(page) == []
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts").get_by_text("Version 2 is published")).to_be_visible()
    sheet = world.office.quizzes.sheet(world.owner, world.project)
    [asked] = sheet.questions
    assert asked.choices == ({"en": "No", "ko": "아니오"}, {"en": "Now and then", "ko": "때때로"})
    assert (asked.right, sheet.pass_mark) == (0, 0.8)
    labeller = studio.page(world.labeller.name, lang="ko", path=f"/label/{world.project}/quiz")
    expect(labeller.get_by_role("group", name="짐작은 답입니까?")).to_be_visible()


def test_a_line_of_an_export_is_traced_to_who_labelled_it(studio):
    world = studio.world
    world.write()
    task = world.answer(world.labeller, world.project, {"text": "It begins anew."})
    file = world.folder / f"traced-{world.moves}.jsonl"
    world.office.datasets.cut(world.owner, world.project, "sft", "conversations", file)
    page = studio.page("ara", path=f"/label/{world.project}/data")
    page.get_by_role("button", name="Trace a record of sft version 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Trace a record").click()
    found = page.get_by_role("dialog").get_by_role("region", name="Where it came from")
    expect(found).to_contain_text(world.labeller.pseudonym)
    assert axe(page) == []
    found.get_by_role("link", name=f"Task {task}").click()
    expect(page.get_by_role("heading", name=f"Task {task}")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
