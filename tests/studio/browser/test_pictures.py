"""The pictures of docs/11-labelling.md; drawn anew by NEXTWORD_PICTURES=docs/images pytest -m slow THIS_FILE.

Without that they are drawn into a folder that is thrown away, so that the way to draw them stays true.
"""

import io
import os
from pathlib import Path

import pytest

ANSWER = {
    "en": "The default of `sep` is a single space, as in `print('a', 'b')`.",
    "ko": "`sep`의 기본값은 빈칸 하나입니다. `print('a', 'b')`처럼 쓰면 사이가 한 칸 떨어집니다.",
}
SCENES = [("en", "light"), ("ko", "light")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    wanted = os.environ.get("NEXTWORD_PICTURES")
    found = Path(wanted) if wanted else tmp_path_factory.mktemp("pictures")
    found.mkdir(parents=True, exist_ok=True)
    return found


def draw(page, path: Path, is_whole: bool = False) -> None:
    """Take the picture, with as many colours as a page needs and no more bytes."""
    from PIL import Image

    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=is_whole)))
    picture.convert("RGB").quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)


@pytest.mark.slow
@pytest.mark.parametrize("lang,scheme", SCENES)
def test_the_pictures_of_the_docs(picturesque, folder, lang, scheme):
    world = picturesque.world
    page = picturesque.page("ara", lang, scheme)
    names = {"compare": "compare", "correct": "correct"}
    for name, kind in names.items():
        item = world.office.desk.next(world.owner, world.gallery[lang], [kind])
        page.goto(f"/label/{world.gallery[lang]}/task/{item.task}")
        page.locator(".task h1").wait_for()
        page.locator(".guide h3").first.wait_for()
        if kind == "correct":
            page.locator("textarea").first.fill(ANSWER[lang])
            page.locator(".diff ins").first.wait_for()
            page.locator(".saved").filter(has_text=":").wait_for()
        draw(page, folder / f"label-{name}-{lang}.png")
    for name in ("figures", "judges"):
        page.goto(f"/label/{world.shared}/{name}")
        page.locator(".chart").first.wait_for()
        draw(page, folder / f"label-{name}-{lang}.png", is_whole=True)
