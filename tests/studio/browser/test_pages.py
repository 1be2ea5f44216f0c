"""Every page in both languages, light and dark, wide and on a phone: words, contrast, names, width."""

from pathlib import Path

import pytest


def pages(world) -> list[tuple[str, str]]:
    """(who, path) of every page there is."""
    base, shared, quiz = (f"/label/{each}" for each in (world.project, world.shared, world.quiz))
    owner = [base, f"{base}/guide", f"{base}/settings", "/label/new", f"{shared}/data", f"{shared}/tasks"]
    owner += [f"{shared}/figures", f"{shared}/arena", f"{shared}/judges", "/people", "/audit", "/no/such"]
    owner += [f"{shared}/disputes", f"{shared}/dispute/{world.disputed}", "/account", "/label"]
    owner += [f"{quiz}/settings", f"{quiz}/quiz/edit"]
    labeller = [f"{base}/task/{world.draft}", f"{base}/queue/submitted", f"{quiz}/quiz", base]
    stranger = ["/login", f"/join/{world.invitation()}", "/join/nothing"]
    work = [
        ("ara", f"{base}/task/{task}") for task in kinds(world, world.owner, "correct", "compare", "rate")
    ]
    work += [("eun-ji", f"{base}/task/{task}") for task in kinds(world, world.reviewer, "review")]
    return (
        [("ara", path) for path in owner]
        + [("bora", path) for path in labeller]
        + work
        + [("", path) for path in stranger]
    )


def kinds(world, person, *names: str) -> list[int]:
    """A task of each kind that this person has open."""
    found = [world.office.desk.next(person, world.project, [name]) for name in names]
    assert None not in found
    return [item.task for item in found]


def axe(page) -> list[str]:
    """The serious and critical faults that axe-core finds."""
    import axe_playwright_python

    source = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
    page.evaluate(source)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{each['id']} {[node['target'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def too_wide(page, width: int) -> int:
    """How many pixels the page is wider than a window of this width; the window is put back."""
    kept = page.viewport_size
    page.set_viewport_size({"width": width, "height": 740})
    found = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.set_viewport_size(kept)
    return max(0, found)


def check(busy, lang: str, scheme: str, **how) -> None:
    """Go through every page and collect what is wrong with any of them."""
    browsers, faults = {}, []
    for who, path in pages(busy.world):
        page = browsers.get(who) or busy.page(who, lang, scheme, **how)
        browsers[who] = page
        page.goto(path)
        page.locator("#main h1").first.wait_for()
        faults += [f"{path}: {fault}" for fault in axe(page)]
        faults += [f"{path}: too wide at {width}" for width in (1280, 320) if too_wide(page, width)]
    assert not faults, "\n".join(faults)


def test_every_page_has_no_serious_fault_and_fits_a_phone(busy):
    check(busy, "en", "light")


@pytest.mark.slow
@pytest.mark.parametrize("lang,scheme", [("ko", "dark"), ("ko", "light"), ("en", "dark")])
def test_every_page_has_no_serious_fault_in_the_other_language_and_colours(busy, lang, scheme):
    check(busy, lang, scheme)


@pytest.mark.slow
def test_every_page_opened_on_a_phone_has_no_serious_fault(busy):
    check(busy, "ko", "light", size={"width": 360, "height": 740})


def test_every_screen_of_work_shows_its_keys(busy):
    page = busy.page("ara")
    for kind, keys in {"compare": "123TBFND", "correct": "ARND", "rate": "FND"}.items():
        [task] = kinds(busy.world, busy.world.owner, kind)
        page.goto(f"/label/{busy.world.project}/task/{task}")
        page.locator(".task h1").wait_for()
        shown = "".join(page.locator(".task kbd").all_inner_texts())
        assert set(keys) <= set(shown), (kind, shown)
