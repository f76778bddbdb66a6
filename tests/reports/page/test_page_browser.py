"""The page in Chromium, at the width of a desktop and of a phone."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evals.measures.text.confusions import Confusion
from reports.__main__ import main
from reports.page import scorecard_page as pages
from reports.page.scorecard_page import write_page
from reports.scorecard import scorecard
from reports.scorecard.scorecard import WordErrors
from tests.support.page_runs import (
    card_of,
    measurement,
    predictions,
    write_lines,
    write_run,
    write_tones,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_ABSENT = CHROMIUM is None or importlib.util.find_spec("playwright") is None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        _ABSENT and not os.environ.get("MODEL_LAB_ALL_EXTRAS"),
        reason="needs Chromium, and playwright of the group browser",
    ),
]
WIDTHS = (1280, 390)
#: What reaches over the page's edge, and does not scroll by itself.
OVER = """() => [...document.querySelectorAll("main *")].filter((e) =>
    e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, .columns table, svg"))
    .map((e) => e.outerHTML.slice(0, 120))"""
SCRIPT = "<script>alert(1)</script>"
ARABIC, HEARD = "مرحبا بالعالم", "مرحبا يا عالم"


@dataclass
class Opened:
    """A page in a browser, and what it did that it should not."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def holds_nothing_bad(self) -> None:
        assert self.console == []
        assert self.dialogs == []
        assert [r for r in self.requests if not r.startswith(("file:", "data:", "blob:"))] == []
        assert sum(r.startswith("file:") for r in self.requests) == 1, (
            "the page itself and no other"
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on two corpora, one with hostile and right-to-left texts among its lines."""
    folder = tmp_path_factory.mktemp("page")
    run = write_run(
        folder, models={"zeta": 0.3, "alpha": 0.1}, corpora={"a": 40, "b": 6}, sound=True
    )
    tones = write_tones(folder / "more", 2)
    p = predictions(1, seed=0, wrong=0)[0]
    write_lines(run, "zeta", "asr", "b", [
        replace(p, id="hostile", reference="stop", hypothesis=SCRIPT, category="odd", audio=str(tones / "0.wav")),
        replace(p, id="rtl", reference=ARABIC, hypothesis=HEARD, category="odd", audio=str(tones / "1.wav")),
        replace(p, id="hidden", reference="stop", hypothesis="st\x1bop \u202egnp", category="odd"),
    ])  # fmt: skip
    card = scorecard.read(run / "scorecard.json")
    extra = measurement("alpha", "a", "wer", None, n=0, verdict="error", reason=SCRIPT, task="tts")
    best = card.recommendation.model_copy(update={"reason": f"{SCRIPT} and {ARABIC}"})
    scorecard.write(
        card.model_copy(
            update={"measurements": [*card.measurements, extra], "recommendation": best}
        ),
        run,
    )
    write_page(run, audio=True)
    return run


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: Browser, run: Path) -> Iterator[Opened]:
    with _open(browser, run / pages.FILE_NAME, width=request.param) as seen:
        yield seen
        seen.holds_nothing_bad()


class _open:
    def __init__(self, browser: Browser, path: Path, *, width: int = 1280, **options: Any) -> None:
        self._context = browser.new_context(viewport={"width": width, "height": 844}, **options)
        page = self._context.new_page()
        self.seen = Opened(page)
        page.on("console", lambda m: self.seen.console.append(m.text))
        page.on("pageerror", lambda e: self.seen.console.append(str(e)))
        page.on("request", lambda r: self.seen.requests.append(r.url))
        page.on("dialog", self._dialog)
        page.goto(path.as_uri())

    def _dialog(self, dialog: Dialog) -> None:
        self.seen.dialogs.append(dialog.message)
        dialog.dismiss()

    def __enter__(self) -> Opened:
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._context.close()


def test_page_stays_within_its_width(opened: Opened) -> None:
    page = opened.page
    for button in page.locator("summary").all():
        button.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # What is wider scrolls by itself, and nothing else reaches over the edge.
    over = page.evaluate(OVER)
    assert over == []


def test_tables_sort_by_what_they_show(opened: Opened) -> None:
    page = opened.page
    column = page.locator("table.sortable[data-task=asr] thead th")
    names = [text.split()[0] for text in column.all_inner_texts()]
    wer = names.index("WER")

    def shown(place: int) -> list[str]:
        cells = f"table.sortable[data-task=asr] tbody tr > :nth-child({place + 1})"
        return [text.split()[0] for text in opened.texts(cells)]

    assert shown(0) == ["zeta", "alpha", "zeta", "alpha"]
    column.nth(wer).locator("button").click()
    assert column.nth(wer).get_attribute("aria-sort") == "ascending"
    assert shown(wer) == ["10.00", "10.00", "30.00", "30.00"]
    column.nth(wer).locator("button").click()
    assert column.nth(wer).get_attribute("aria-sort") == "descending"
    assert shown(wer) == ["30.00", "30.00", "10.00", "10.00"]
    column.nth(0).locator("button").press("Enter")
    assert shown(0) == ["alpha", "alpha", "zeta", "zeta"]
    assert column.nth(wer).get_attribute("aria-sort") == "none"


def test_errors_are_filtered_searched_ordered_and_paged(opened: Opened, run: Path) -> None:
    page = opened.page
    items = page.locator("#list > li")
    count = page.locator("#count")
    everything = int(count.inner_text().rsplit(" ", 1)[1])
    assert items.count() == 25 < everything
    first = items.first.inner_text()
    page.locator("#next").click()
    assert items.first.inner_text() != first
    assert count.inner_text().startswith("26 to ")
    page.locator("#previous").click()
    assert items.first.inner_text() == first
    page.locator("#by-model").select_option("=alpha")
    of_alpha = int(count.inner_text().rsplit(" ", 1)[1])
    assert 0 < of_alpha < everything
    assert set(opened.texts("#list > li strong")) == {"alpha"}
    page.locator("#by-corpus").select_option("=b")
    assert all("alpha/asr/b.jsonl:" in (i.get_attribute("data-source") or "") for i in items.all())
    for select in ("#by-model", "#by-corpus"):
        page.locator(select).select_option("")
    page.locator("#by-category").select_option("=odd")
    assert items.count() == 3
    page.locator("#by-kind").select_option("=deletion")
    assert page.locator("#list > li .w.del").count() >= items.count()
    page.locator("#by-category").select_option("")
    page.locator("#by-kind").select_option("")
    page.locator("#search").fill("RTL")
    assert items.count() == 1
    page.locator("#search").fill("surely nowhere")
    assert items.count() == 0
    assert count.inner_text() == "No error is like that."
    page.locator("#search").fill("")
    page.locator("#order").select_option("file")
    lines = [int(text.split()[-1]) for text in opened.texts("#list > li .where")]
    assert lines == sorted(lines)
    assert page.locator("#by-task").is_hidden(), "one task alone needs no choice"


def test_every_error_names_its_line_and_marks_its_words_without_colour(
    opened: Opened, run: Path
) -> None:
    opened.page.locator("#by-model").select_option("=zeta")
    for item in opened.page.locator("#list > li").all()[:5]:
        file, _, line = (item.get_attribute("data-source") or "").rpartition(":")
        stored = (run / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        ident = item.locator(".head bdi").nth(1).inner_text()
        assert f'"id": "{ident}"' in stored
    styles = opened.page.evaluate("""() => Object.fromEntries(["sub", "del", "ins"].map((kind) => {
        const [said, heard] = document.querySelectorAll(`#legend .w.${kind} > span`);
        return [kind, getComputedStyle(kind === "del" ? said : heard).textDecorationLine]; }))""")
    assert styles == {"sub": "underline", "del": "line-through", "ins": "underline"}


def test_script_in_a_transcript_is_text(opened: Opened) -> None:
    page = opened.page
    page.locator("#search").fill("hostile")
    item = page.locator("#list > li")
    assert SCRIPT in item.inner_text()
    assert SCRIPT in page.locator("#answer").inner_text()
    assert SCRIPT in page.locator("#missing").inner_text()
    assert page.locator("#list script").count() == 0
    # Nor would it run, had it got past all that.
    page.evaluate("""() => { const s = document.createElement("script"); s.textContent = "window.ran = 1";
        document.body.append(s); }""")
    assert page.evaluate("window.ran === undefined")
    assert len(opened.console) == 1, "the policy's refusal"
    assert "Content Security Policy" in opened.console.pop()


def test_right_to_left_text_is_set_so(opened: Opened) -> None:
    page = opened.page
    page.locator("#search").fill("rtl")
    words = page.locator("#list > li .words")
    assert words.get_attribute("dir") == "rtl"
    said = page.locator("#list > li .words .w > span:first-child").all_inner_texts()
    assert [w for w in said if w != "∅"] == ARABIC.split()
    # The first word is the rightmost one.
    first, second = (words.locator(".w").nth(i).bounding_box() for i in (0, 1))
    assert first is not None
    assert second is not None
    assert first["x"] > second["x"]
    assert ARABIC in page.locator("#answer").inner_text()


def test_hidden_characters_are_seen(opened: Opened) -> None:
    opened.page.locator("#search").fill("hidden")
    text = opened.page.locator("#list > li").inner_text()
    assert "\u241b" in text
    assert "⟨U+202E⟩" in text


def test_sound_plays(opened: Opened) -> None:
    page = opened.page
    assert page.locator("#list audio").count() > 0
    played = page.evaluate("""async () => {
        const player = document.querySelector("#list audio");
        await player.play();
        await new Promise((done) => player.addEventListener("ended", done));
        return [player.currentTime, player.duration, player.error];
    }""")
    assert played == [pytest.approx(0.5, abs=0.02), pytest.approx(0.5, abs=0.02), None]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_until_it_is_chosen(
    browser: Browser, run: Path, scheme: Any
) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    ours = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}
    other = {"light": "dark", "dark": "light"}[scheme]
    with _open(browser, run / pages.FILE_NAME, color_scheme=scheme) as seen:
        assert seen.page.evaluate(paper) == ours[scheme]
        button = seen.page.locator("#theme")
        assert button.inner_text() == other.title()
        button.click()
        assert seen.page.evaluate(paper) == ours[other]
        assert button.inner_text() == scheme.title()
        seen.page.reload()
        assert seen.page.evaluate(paper) == ours[other]
        assert seen.console == []


def test_page_says_what_it_needs_scripts_for(browser: Browser, run: Path) -> None:
    with _open(browser, run / pages.FILE_NAME, java_script_enabled=False) as seen:
        text = seen.page.locator("main").inner_text()
        assert "needs JavaScript" in text
        assert "30.00" in text
        assert not seen.page.locator("#theme").is_visible()


def test_empty_and_missing_runs_open_without_trouble(browser: Browser, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    scorecard.write(card_of({}), run)
    with _open(browser, write_page(run), width=390) as seen:
        assert "Nothing was measured." in seen.page.locator("main").inner_text()
        seen.holds_nothing_bad()
    scorecard.write(card_of({("one", "a"): 0.1}), run)
    with _open(browser, write_page(run), width=390) as seen:
        assert "the file is not there" in seen.page.locator("#errors").inner_text()
        seen.holds_nothing_bad()


def test_what_has_no_place_to_break_does_not_widen_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    name = "n" * 120
    run = write_run(tmp_path, models={name: 0.9, f"{name}2": 0.9}, corpora={name: 12})
    p = predictions(1, seed=0, wrong=0)[0]
    write_lines(run, name, "asr", name, [
        replace(p, id="i" * 300, reference="r" * 300, hypothesis="h" * 300, category="c" * 300, speaker="s" * 300)
    ])  # fmt: skip
    card = scorecard.read(run / "scorecard.json")
    best = card.recommendation.model_copy(update={"reason": "y" * 300, "to_run": ["z" * 300]})
    words = WordErrors(model=name, corpus=name, rows=[Confusion("x" * 300, "w" * 300, 1)])
    scorecard.write(
        card.model_copy(
            update={"recommendation": best, "baseline": "b" * 300, "word_errors": [words]}
        ),
        run,
    )
    for width in WIDTHS:
        with _open(browser, write_page(run), width=width) as seen:
            for button in seen.page.locator("summary").all():
                button.click()
            assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            over = seen.page.evaluate(OVER)
            assert over == []


@pytest.fixture(scope="module")
def later(run: Path) -> Path:
    """The run as if made again, with one utterance worse."""
    again = Path(shutil.copytree(run, run.parent / "later"))
    card = scorecard.read(again / "scorecard.json")
    made = card.run.model_copy(update={"id": "later", "started": "2027-01-01T00:00:00+00:00"})
    scorecard.write(card.model_copy(update={"run": made}), again)
    lines = again / "alpha" / "asr" / "a.jsonl"
    first, *rest = lines.read_text(encoding="utf-8").splitlines()
    worse = {**json.loads(first), "hypothesis": f"{SCRIPT} {ARABIC}"}
    lines.write_text("\n".join([json.dumps(worse), *rest]) + "\n", encoding="utf-8")
    return again


@pytest.mark.parametrize("width", WIDTHS)
def test_comparison_and_history_open_without_trouble(
    browser: Browser, run: Path, later: Path, tmp_path: Path, width: int
) -> None:
    compared, over_time = tmp_path / "compare.html", tmp_path / "history.html"
    assert main(["compare", str(run), str(later), "--html", str(compared)]) == 0
    assert main(["history", "--runs-dir", str(run.parent), "--html", str(over_time)]) == 0
    for path in (compared, over_time):
        with _open(browser, path, width=width) as seen:
            assert seen.page.evaluate(OVER) == []
            seen.holds_nothing_bad()
            shown = seen.page.inner_text("body")
            assert "alpha" in shown
            assert SCRIPT in shown
