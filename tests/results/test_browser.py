"""The pages in a real Chromium: nothing is fetched, nothing fails, and pointer and keyboard reach every device."""

import json
import shutil

import pytest

import hwsim
from hwsim.results import open_run
from hwsim.results.compare_page import compare_page

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
ATTACK = "<script>window.harmed=1</script><img src=x onerror=window.harmed=1>"
READY = "#devices[data-ready]"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser):
    """Open a file; afterwards nothing may have been fetched or complained of."""
    found, contexts = [], []

    def show(file, *, ready=READY, width=1100, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: found.append(message.text))
        page.on("pageerror", lambda error: found.append(str(error)))
        page.on("request", lambda request: None if request.url == file.as_uri() else found.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_selector(ready)
        return page

    yield show
    assert found == []
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run of the default job with part of tile 0 probed."""
    return hwsim.simulate(steps=30, log="pulses", probe=["0:0-3:8-15"], out=tmp_path_factory.mktemp("browser") / "run")


@pytest.fixture(scope="module")
def report(run):
    return run.report(run.path.parent / "report.html")


def painted(page, selector):
    """How many different colours a canvas shows."""
    return page.locator(selector).evaluate(
        """canvas => new Set(new Uint32Array(
            canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"""
    )


def test_the_plots_are_there(show, report):
    page = show(report)
    assert page.locator("figure > svg.chart").count() == 6
    assert page.locator("figure > svg.chart:visible").count() == 2
    for name in ("start", "end", "change", "pulses", "net", "position"):
        assert painted(page, f"figure[data-map={name}] canvas") > 2
    assert painted(page, "#timeline canvas") > 4
    assert page.locator("body[data-fault]").count() == 0


def test_devices_without_negative_weights_have_no_negative_conductance(show, tmp_path):
    pairs = hwsim.simulate(algorithm="analog-sgd", device="pcm-pair", steps=10, out=tmp_path / "run")
    page = show(pairs.report(tmp_path / "report.html"))
    for name in ("start", "end"):
        ends = page.locator(f"figure[data-map={name}] .ends span").all_inner_texts()
        assert ends[0] == "10.72 uS"
        assert ends[1] == ""
        assert float(ends[2].removeprefix("≥ ").split()[0]) > 10.72


def choose(page, row, col, name="end"):
    """Click the device (row, col) of the array that is shown, of 32 rows and 64 columns."""
    canvas = page.locator(f"figure[data-map={name}] canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": (col + 0.5) * box["width"] / 64, "y": (row + 0.5) * box["height"] / 32})


def test_a_click_on_a_probed_device_shows_its_life(show, report, run):
    page = show(report)
    pulses = run.pulses('tile = 0 and "array" = 0')
    (row, col), own = max(pulses.groupby(["row", "col"]), key=lambda group: len(group[1]))
    choose(page, row, col)
    device = page.locator("#device")
    assert device.locator("h3").inner_text() == f"Tile 0, array 0, row {row}, column {col}"
    assert device.locator("svg path.up, svg path.down").count() == len(own)
    assert f"All of its {len(own)} logged pulses" in device.locator(".note").inner_text()
    # Whole steps: the line goes across and up or down once for each pulse.
    assert device.locator("path.line").get_attribute("d").count("V") == len(own) + 1
    device.locator("summary").click()
    assert device.locator(".pulses tbody tr").count() == len(own)
    last = own.iloc[-1]
    cells = device.locator(".pulses tbody tr").last.locator("td").all_inner_texts()
    assert cells[1] == str(int(last.step))
    assert float(cells[4]) == pytest.approx(last.dw, rel=0.01)
    assert float(cells[5].split()[0]) == pytest.approx(last.w, abs=1e-6)


def test_a_device_that_was_not_probed_says_how_to_probe_it(show, report, run):
    page = show(report)
    choose(page, 20, 30)
    assert "--log pulses --probe 0:20:30" in page.locator("#device .note").inner_text()
    known = dict(zip(page.locator("#device dt").all_inner_texts(), page.locator("#device dd").all_inner_texts(),
                     strict=True))  # fmt: skip
    devices = run.devices()
    cell = devices[(devices.tile == 0) & (devices.array == 0) & (devices.row == 20) & (devices.col == 30)].iloc[0]
    assert float(known["weight at the end"].split()[0]) == pytest.approx(cell.w_end, abs=1e-6)
    assert (known["up pulses"], known["down pulses"]) == (str(cell.pulses_up), str(cell.pulses_down))


def test_the_keyboard_goes_from_device_to_device(show, report):
    page = show(report)
    choose(page, 5, 7)
    heading = page.locator("#device h3")
    for keys, place in (
        (["ArrowRight"], "row 5, column 8"),
        (["ArrowDown", "ArrowDown"], "row 7, column 8"),
        (["Shift+ArrowDown"], "row 17, column 8"),
        (["End"], "row 17, column 63"),
        (["ArrowRight"], "row 17, column 63"),
    ):
        for key in keys:
            page.keyboard.press(key)
        assert heading.inner_text().endswith(place)
    page.get_by_label("row of the device").fill("3")
    page.get_by_label("column of the device").fill("9")
    page.keyboard.press("Enter")
    assert heading.inner_text().endswith("row 3, column 9")
    page.locator("#device svg").first.focus()
    page.keyboard.press("Home")
    assert ": start, weight" in page.locator("#device .life .read").inner_text()
    page.keyboard.press("ArrowRight")
    assert "pulse of step" in page.locator("#device .life .read").inner_text()


def test_every_part_can_be_reached_with_tab(show, report):
    page = show(report)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.id"))
    for wanted in ("Timeline of", "Conductance at the end", "Pulses received", "array", "row of the device",
                   "Conductance over time", "loss against step", "axis-step"):  # fmt: skip
        assert any(name.startswith(wanted) for name in reached), wanted


def test_another_array_can_be_chosen(show, report):
    page = show(report)
    page.get_by_label("array", exact=True).select_option(label="tile 1, array 1 (output, 10 × 32)")
    page.locator("#device h3", has_text="Tile 1, array 1").wait_for()
    assert "320 devices" in page.locator(".array-facts").inner_text()


def test_the_timeline_names_what_the_log_says(show, report, run):
    page = show(report)
    page.locator("#timeline canvas").focus()
    page.keyboard.press("1")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    first = run.events("component = 'buffer' and dur_ps > 0", limit=1).iloc[0]
    said = page.locator("#timeline .read").inner_text()
    assert said.startswith(f"buffer · {first.operation}")
    assert f"{first.action} × {first['count']}" in said
    assert f"step {first.step}" in said
    page.keyboard.press("0")
    whole = page.locator("#timeline .view").inner_text()
    for button in ("zoom in", "later"):
        page.get_by_role("button", name=button).click()
    assert page.locator("#timeline .view").inner_text() != whole
    page.get_by_role("button", name="whole run").click()
    assert page.locator("#timeline .view").inner_text() == whole


def test_a_part_of_the_timeline_is_dragged_out(show, report):
    page = show(report)
    canvas = page.locator("#timeline canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    before = page.locator("#timeline .view").inner_text()
    page.mouse.move(box["x"] + 400, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 110, steps=4)
    page.mouse.up()
    assert page.locator("#timeline .view").inner_text() != before


def test_curves_against_another_axis_and_their_values(show, report, run):
    page = show(report)
    page.locator("#axis-step").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#plots-t_s svg").first.is_visible()
    assert not page.locator("#plots-step svg").first.is_visible()
    chart = page.locator("#plots-t_s svg").first
    chart.focus()
    page.keyboard.press("End")
    text = page.locator("#plots-t_s .read").first.inner_text()
    assert float(text.split()[-1]) == pytest.approx(run.metrics.loss.iloc[-1], rel=1e-3)


def test_dark_and_print_have_colours_of_their_own(show, report):
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = show(report), show(report, scheme="dark")
    assert light.evaluate(background) == "rgb(255, 255, 255)"
    assert dark.evaluate(background) != "rgb(255, 255, 255)"
    # Read from a copy: Chromium complains of canvases that are read again and again.
    pixel = """canvas => {
        const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 9 - canvas.width, 9 - canvas.height);
        return [...copy.getImageData(0, 0, 1, 1).data].join();
    }"""
    canvas = "figure[data-map=pulses] canvas"
    assert light.locator(canvas).evaluate(pixel) != dark.locator(canvas).evaluate(pixel)
    dark.emulate_media(media="print")
    assert dark.evaluate(background) == "rgb(255, 255, 255)"
    assert dark.locator(canvas).evaluate(pixel) == light.locator(canvas).evaluate(pixel)
    # Paper cannot switch: all axes are printed.
    assert dark.locator("figure > svg.chart:visible").count() == 6
    assert dark.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("width", [360, 1600])
def test_no_width_makes_the_page_scroll_sideways(show, report, width):
    page = show(report, width=width)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_names_do_no_harm(show, run, tmp_path, synthetic):
    import pyarrow.parquet as pq

    folder = synthetic.write_run(
        tmp_path / "run", trace=ATTACK, chip=ATTACK, device=ATTACK, algorithm=ATTACK, energy_by_layer={ATTACK: 1e-6},
        assumptions=[ATTACK],
    )  # fmt: skip
    pq.write_table(synthetic.devices(layer=ATTACK), folder / "devices.parquet")
    events = pq.read_table(folder / "events.parquet").to_pandas()
    events["component"] = events["component"].astype(str) + ATTACK
    events["layer"] = ATTACK
    events.to_parquet(folder / "events.parquet")
    opened = open_run(folder)
    page = show(opened.report(tmp_path / "report.html"))
    assert ATTACK in page.locator("h1").inner_text()
    assert page.evaluate("window.harmed") is None
    assert page.locator("img").count() == 0
    (tmp_path / "compare.html").write_text(compare_page([opened, run]))
    page = show(tmp_path / "compare.html", ready="h1")
    assert page.evaluate("window.harmed") is None


def test_the_policy_stops_what_is_slipped_in(browser, report, tmp_path):
    harmed = tmp_path / "harmed.html"
    harmed.write_text(report.read_text().replace("<header>", "<header><script>window.harmed=1</script>"))
    page = browser.new_page()
    page.goto(harmed.as_uri())
    page.wait_for_selector(READY)
    assert page.evaluate("window.harmed") is None
    page.close()


def test_a_run_without_timing_or_logs(show, tmp_path):
    run = hwsim.simulate(steps=2, timing=False, out=tmp_path / "run")
    page = show(run.report(tmp_path / "report.html"))
    assert "kept no event log" in page.locator("body").inner_text()
    assert page.locator("#device path.line").count() == 1


def test_compared_curves_share_their_charts(show, run, tmp_path):
    other = hwsim.simulate(steps=30, algorithm="analog-sgd", out=tmp_path / "analog")
    (tmp_path / "compare.html").write_text(compare_page([run, other]))
    page = show(tmp_path / "compare.html", ready="svg.chart")
    charts = page.locator("svg.chart")
    assert charts.count() == 6
    for index in range(6):
        assert [line["name"] for line in json.loads(charts.nth(index).get_attribute("data-series"))] == [
            "run",
            "analog",
        ]
    page.locator("label", has_text="against energy").click()
    assert page.locator("#plots-energy_J svg").first.is_visible()
    assert "energy" in page.locator("#plots-energy_J svg text.axis").first.text_content()
