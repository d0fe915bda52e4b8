"""The page itself, in a real browser: clicks and keys, the saved file, and what it does then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from headless import Browser, find_browser
from review_builders import make_file, make_object, make_tile

from sonar_watch.ichthyolith.records import Box, SlideObject
from sonar_watch.ichthyolith.review import (
    GalleryOptions,
    apply_verdicts,
    read_verdicts,
    write_gallery,
)

pytestmark = pytest.mark.timeout(600)

PROGRAM = find_browser()
if PROGRAM is None:
    pytest.skip("no Chromium is installed (apt-get install chromium)", allow_module_level=True)

IMAGE = "s/a/001/t.png"
CARDS = "[...document.querySelectorAll('.card')]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(str(PROGRAM), tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


def some_objects(sample: str) -> list[SlideObject]:
    """Six: object 0 is the least certain; 4 is noise in the networks' view, 5 was reviewed."""
    boxes: list[Box] = [(20 + 60 * n, 20, 60 + 60 * n, 90) for n in range(6)]
    classes = ["tooth", "tooth", "denticle", "tooth", "noise", "denticle"]
    return [
        make_object(number, box=boxes[number], class_name=classes[number], image=IMAGE,
                    sample=sample, confidence=0.32 + 0.1 * number, reviewed=number == 5,
                    length_um=70.0 + number, detector_class=classes[number])
        for number in range(6)
    ]  # fmt: skip


@pytest.fixture
def objects(tmp_path: Path) -> list[SlideObject]:
    """Of a sample of its own: what the browser keeps of another test's is not of these."""
    return some_objects(tmp_path.name)


@pytest.fixture
def page(tmp_path: Path, objects: list[SlideObject], browser: Browser) -> Path:
    """The opened gallery of the objects."""
    tile = make_tile(tmp_path, IMAGE, {one.best.xyxy_px: 40 for one in objects})
    page = write_gallery(
        tmp_path / "gallery", objects, {IMAGE: tile}, GalleryOptions(um_per_px=0.96)
    )
    browser.open(page)
    return page


def places(browser: Browser) -> list[int]:
    """The numbers of the objects that are shown, in order."""
    return [int(name, 16) for name in browser.ask(f"{CARDS}.map(card => card.dataset.id)")]


def marks(browser: Browser) -> dict[int, str]:
    """What the cards say of the verdicts, of those that have one."""
    said = browser.ask(f"{CARDS}.map(card => [card.dataset.id, card.dataset.verdict])")
    return {int(name, 16): mark for name, mark in said if mark}


def card(number: int) -> str:
    return f'[data-id="{number:016x}"]'


def saved(browser: Browser) -> Path:
    """Click on save; return the file that comes."""
    for old in browser.downloads.iterdir():
        old.unlink()
    browser.click("#save")
    browser.wait_for("Browser.downloadProgress", lambda said: said["state"] == "completed")
    (path,) = browser.downloads.iterdir()
    assert path.name == "verdicts.json"
    return path


def test_shows_the_least_certain_first_with_loaded_crops(page: Path, browser: Browser) -> None:
    assert places(browser) == [0, 1, 2, 3, 4, 5]
    browser.wait_until(
        "[...document.querySelectorAll('.card img')].every(one => one.naturalWidth === 160)"
    )
    assert browser.ask("document.getElementById('progress').textContent") == (
        "1 of 6 reviewed (16.7 %)"
    )
    assert browser.ask(f"document.querySelector('{card(0)} .scale').textContent") == "50 µm"
    assert "tooth 0.32 · 70 µm" in browser.ask(f"document.querySelector('{card(0)}').textContent")
    shares = browser.ask(
        f"(() => {{ const box = document.querySelector('{card(0)} .box').getBoundingClientRect(),"
        f"all = document.querySelector('{card(0)} .crop').getBoundingClientRect();"
        "return [box.width / all.width, box.height / all.height]; })()"
    )
    assert shares == pytest.approx([40 / 160, 70 / 160], abs=0.02)


def test_nothing_is_asked_of_a_network_and_nothing_goes_wrong(page: Path, browser: Browser) -> None:
    browser.wait_until("[...document.querySelectorAll('.card img')].every(one => one.complete)")
    browser.press("a", "r", " ", "d", " ")
    saved(browser)
    assert browser.complaints == []
    assert {url.split(":")[0] for url in browser.requests} <= {"file", "blob", "data"}


def test_what_is_clicked_is_saved_and_applied(
    page: Path, browser: Browser, objects: list[SlideObject]
) -> None:
    browser.choose("#reviewer", "B. Reader")
    browser.click(f"{card(0)} .accept")
    browser.click(f"{card(1)} .reject")
    browser.click(f"{card(2)} button[data-verdict=sawtoothed]")
    browser.click(f"{card(3)} button[data-verdict=unsure]")
    browser.click(f"{card(4)} button[data-verdict=tooth]")
    assert marks(browser) == {
        0: "accept",
        1: "reject",
        2: "other",
        3: "unsure",
        4: "other",
        5: "accept",
    }
    review = read_verdicts(saved(browser))
    assert (review.reviewer, review.objects) == ("B. Reader", 6)
    assert [(int(one.object_id, 16), one.class_name, one.earlier) for one in review.verdicts] == [
        (0, "tooth", False), (1, "noise", False), (2, "sawtoothed", False),
        (3, "unsure", False), (4, "tooth", False), (5, "denticle", True),
    ]  # fmt: skip
    assert review.verdicts[0].xyxy_px == objects[0].best.xyxy_px
    assert {one.image for one in review.verdicts} == {IMAGE}
    applied = apply_verdicts(objects, review.verdicts)
    assert [one.class_name for one in applied.objects] == [
        "tooth", "noise", "sawtoothed", "tooth", "tooth", "denticle"]  # fmt: skip
    assert (applied.accepted, applied.rejected, applied.changed) == (2, 1, 2)
    assert [one.reviewed for one in applied.objects] == [True, True, True, False, True, True]


def test_keys_do_the_same_and_move_on(page: Path, browser: Browser) -> None:
    browser.press("a", "x", "s", "u", "d")
    assert marks(browser) == {
        0: "accept",
        1: "reject",
        2: "other",
        3: "unsure",
        4: "other",
        5: "accept",
    }
    browser.press("ArrowLeft", "ArrowLeft", "t")
    assert marks(browser)[3] == "accept"
    assert browser.ask(f"{CARDS}.findIndex(card => card.classList.contains('here'))") == 4


def test_undo_takes_back_step_by_step(page: Path, browser: Browser) -> None:
    browser.press("a", "r")
    browser.press("A", held=8)
    assert marks(browser) == {
        0: "accept",
        1: "reject",
        2: "accept",
        3: "accept",
        4: "accept",
        5: "accept",
    }
    browser.press("z")
    assert marks(browser) == {0: "accept", 1: "reject", 5: "accept"}
    browser.press("z", held=2)
    browser.click("#undo")
    assert marks(browser) == {5: "accept"}
    assert browser.ask("document.getElementById('undo').disabled")
    browser.press("z")
    assert marks(browser) == {5: "accept"}


def test_a_second_click_takes_a_verdict_back(page: Path, browser: Browser) -> None:
    browser.click(f"{card(1)} .reject")
    browser.click(f"{card(1)} .reject")
    assert 1 not in marks(browser)


def test_what_was_there_before_becomes_ones_own_by_saying_it(page: Path, browser: Browser) -> None:
    """Else two people would seem to agree on what one of them never looked at."""
    mark = f"document.querySelector('{card(5)} .mark').textContent"
    assert browser.ask(mark) == "✓ earlier"
    browser.click(f"{card(5)} .accept")
    assert browser.ask(mark) == "✓"
    (only,) = read_verdicts(saved(browser)).verdicts
    assert (only.class_name, only.earlier) == ("denticle", False)
    browser.press("z")
    (only,) = read_verdicts(saved(browser)).verdicts
    assert only.earlier


def test_keys_do_nothing_while_a_name_is_typed(page: Path, browser: Browser) -> None:
    browser.click("#reviewer")
    browser.press("a", "r")
    assert marks(browser) == {5: "accept"}


def test_filters_and_orders(page: Path, browser: Browser) -> None:
    browser.choose("#class", "denticle")
    assert places(browser) == [2, 5]
    browser.choose("#class", "")
    browser.press("r")
    browser.choose("#show", "open")
    assert places(browser) == [1, 2, 3, 4]
    browser.choose("#show", "changed")
    assert places(browser) == [0]
    browser.choose("#show", "all")
    browser.choose("#order", "longest")
    assert places(browser) == [5, 4, 3, 2, 1, 0]
    browser.choose("#find", "0004")
    assert places(browser) == [4]
    browser.choose("#find", "nothing like it")
    assert places(browser) == []
    assert "Nothing fits" in browser.ask("document.getElementById('cards').textContent")


def test_the_large_picture_follows_the_verdicts(page: Path, browser: Browser) -> None:
    browser.press(" ")
    assert browser.ask("document.getElementById('large').open")
    assert "tooth 0.32" in browser.ask("document.querySelector('#large .told').textContent")
    browser.press("r")
    assert "0.42" in browser.ask("document.querySelector('#large .told').textContent")
    assert marks(browser)[0] == "reject"
    browser.press(" ")
    assert not browser.ask("document.getElementById('large').open")


def test_verdicts_survive_a_closed_page(page: Path, browser: Browser) -> None:
    browser.choose("#reviewer", "C")
    browser.press("r", "d")
    browser.click(f"{card(5)} .reject")
    browser.open(page)
    assert marks(browser) == {0: "reject", 1: "other", 5: "reject"}
    assert browser.ask("document.getElementById('reviewer').value") == "C"
    rows = json.loads(saved(browser).read_text())["verdicts"]
    assert [row["earlier"] for row in rows] == [False, False, False]


def test_a_saved_file_is_gone_on_with(page: Path, browser: Browser, tmp_path: Path) -> None:
    path = make_file(
        tmp_path / "v.json",
        {"object_id": f"{1:016x}", "class": "denticle"},
        {"object_id": "gone"},
        {"object_id": f"{2:016x}", "class": "nonsense"},
    )
    browser.give_file("#file", path)
    browser.wait_until("document.getElementById('message').textContent.startsWith('Read 1')")
    assert marks(browser) == {1: "other", 5: "accept"}
    assert "2 are of objects that are not here" in browser.ask(
        "document.getElementById('message').textContent")  # fmt: skip
    other = tmp_path / "other.json"
    other.write_text('{"schema": "another"}', encoding="utf-8")
    browser.give_file("#file", other)
    browser.wait_until("document.getElementById('message').textContent.includes('expected')")
    assert marks(browser) == {1: "other", 5: "accept"}


def test_verdicts_of_somebody_else_stay_theirs(
    page: Path, browser: Browser, tmp_path: Path
) -> None:
    """Else two people would seem to agree on what one of them never looked at."""
    browser.choose("#reviewer", "B")
    browser.press("a")
    path = make_file(
        tmp_path / "v.json", {"object_id": f"{0:016x}", "class": "noise"},
        {"object_id": f"{1:016x}", "class": "denticle"}, reviewer="Ann",
    )  # fmt: skip
    browser.give_file("#file", path)
    browser.wait_until("document.getElementById('message').textContent.includes('those of Ann')")
    assert "1 are of objects that you judged yourself" in browser.ask(
        "document.getElementById('message').textContent")  # fmt: skip
    mark = f"document.querySelector('{card(1)} .mark').textContent"
    assert browser.ask(mark) == "→ denticle Ann"
    rows = {row["object_id"][-1]: row for row in json.loads(saved(browser).read_text())["verdicts"]}
    assert (rows["0"]["class"], rows["0"]["earlier"]) == ("tooth", False)
    assert (rows["1"]["earlier"], rows["1"]["said_by"]) == (True, "Ann")
    assert "said_by" not in rows["5"]
    browser.open(page)
    assert browser.ask(mark) == "→ denticle Ann"  # kept in the browser, too
    browser.choose("#reviewer", "Ann")
    browser.give_file("#file", path)
    browser.wait_until("!document.getElementById('message').textContent.includes('those of')"
                       " && document.getElementById('message').textContent.startsWith('Read 2')")
    assert browser.ask(mark) == "→ denticle"
    browser.press("z")
    assert browser.ask(mark) == "→ denticle Ann"
    browser.click(f"{card(1)} .accept")
    assert browser.ask(mark) == "✓"
    browser.click(f"{card(1)} .accept")  # taken back: nothing is said of it now
    browser.choose("#reviewer", "B")
    browser.give_file("#file", path)
    browser.wait_until("document.getElementById('message').textContent.includes('those of Ann')")
    assert browser.ask(mark) == "→ denticle Ann"
    assert browser.complaints == []


def test_start_anew_forgets_all_and_can_be_undone(page: Path, browser: Browser) -> None:
    browser.press("a", "a")
    browser.click("#clear")
    browser.wait_until(f"{CARDS}.every(card => !card.dataset.verdict)")
    browser.press("z")
    assert marks(browser) == {0: "accept", 1: "accept", 5: "accept"}


def test_words_of_others_are_shown_not_run(browser: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror='window.ran = 1'></script><script>window.ran = 2</script>"
    one = make_object(1, site=evil, sample=evil, image=evil)
    browser.open(write_gallery(tmp_path, [one], {}, GalleryOptions(title=evil)))
    assert browser.ask("document.getElementById('title').textContent") == evil
    assert browser.ask("window.ran") is None
    assert "could not be read" in browser.ask("document.querySelector('.card').textContent")
    assert browser.complaints == []


def many_objects(count: int) -> list[SlideObject]:
    return [
        make_object(
            number,
            confidence=0.3 + 0.7 * number / count,
            image="gone.png",
            sample=f"{count}",
            slide=f"{number % 40:03d}",
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [5_000, pytest.param(120_000, marks=pytest.mark.slow)])
def test_a_whole_study_stays_quick(count: int, browser: Browser, tmp_path: Path) -> None:
    """A page holds some dozens of cards, however many objects there are: nobody waits."""
    browser.open(write_gallery(tmp_path, many_objects(count), {}, GalleryOptions()))
    assert browser.ask(f"{CARDS}.length") == 48
    said = browser.ask("document.getElementById('progress').textContent")
    assert f"0 of {count:,} reviewed" in said
    steps: dict[str, Callable[[], None]] = {
        "verdict": lambda: browser.press("a"),
        "next page": lambda: browser.press("PageDown"),
        "order": lambda: browser.choose("#order", "place"),
        "filter": lambda: browser.choose("#find", "/ 017"),
    }
    spent_s: dict[str, float] = {}
    for name, step in steps.items():
        before_s = browser.worked_s()
        step()
        spent_s[name] = browser.worked_s() - before_s
    assert max(spent_s.values()) < 1.5, spent_s
    assert spent_s["verdict"] < 0.2, spent_s
    assert browser.ask("document.getElementById('shown').textContent") == f"{count // 40:,} shown"
    assert browser.complaints == []
