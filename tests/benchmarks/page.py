"""How large a run's page is and how soon it can be used: 5 models, 3 corpora, 20,000 utterances.

    uv run --group browser python tests/benchmarks/page.py [--utterances N] [--keep FOLDER]

Prints the seconds to make it, its size, and in Chromium the seconds until it can be used and those
of a sort, a filter and a search. Each of the models answers each utterance.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.page_runs import write_run

MODELS = {
    f"model-{name}": wrong
    for name, wrong in zip("abcde", (0.02, 0.05, 0.08, 0.12, 0.2), strict=True)
}
CORPORA = 3

#: From a click until what it changed has been painted.
PAINTED = """([id, value, kind]) => new Promise((done) => {
  const start = performance.now();
  const element = document.querySelector(id);
  if (kind === "click") element.click();
  else { element.value = value; element.dispatchEvent(new Event(kind)); }
  requestAnimationFrame(() => requestAnimationFrame(() => done((performance.now() - start) / 1000)));
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=20_000, help="over all corpora")
    parser.add_argument("--keep", type=Path, help="a folder for the run and its page")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    each, more = divmod(options.utterances, CORPORA)
    corpora = {f"corpus-{i}": each + (i < more) for i in range(CORPORA)}
    run = write_run(folder, models=MODELS, corpora=corpora, slices=40)

    from reports.page.scorecard_page import write_page

    start = time.perf_counter()
    page = write_page(run)
    print(
        f"made in {time.perf_counter() - start:.1f} s, first time, imports and normalizing included"
    )
    start = time.perf_counter()
    write_page(run)
    print(f"made in {time.perf_counter() - start:.1f} s again, with every text normalized before")
    print(f"{page.stat().st_size / 1e6:.2f} MB")
    in_browser(page)
    if not options.keep:
        shutil.rmtree(folder)


def in_browser(page: Path) -> None:
    """Print the times in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        start = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="domcontentloaded")
        loaded = time.perf_counter() - start
        # The list is drawn by the script's end, and two frames later it has been painted.
        tab.wait_for_selector("#list > li")
        tab.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        print(
            f"DOMContentLoaded after {loaded:.2f} s, usable after {time.perf_counter() - start:.2f} s"
        )
        for what, *how in (
            ("sort by WER", "table.sortable th:nth-child(5) button", "", "click"),
            ("filter by model", "#by-model", "=model-e", "change"),
            ("search", "#search", "garden", "input"),
            ("next page", "#next", "", "click"),
        ):
            print(f"{what}: {tab.evaluate(PAINTED, how):.3f} s")
        browser.close()


if __name__ == "__main__":
    main()
