"""The recording of README: what a terminal showed, as a file of asciinema and as SVG."""

import itertools
import json
from xml.etree import ElementTree as ET

from tests.testbed.recording import CELL, LAST_FRAME, LONGEST_PAUSE, Recording

SHOWN = [
    (100.0, "# \x1b[1mmstunnel-setup\x1b[0m\r\n"),
    (160.0, "\rloading 1"),
    (160.05, "\rloading 2"),
    (161.0, "\r\n<ok> & done"),
]
RECORDING = Recording(80, 24, SHOWN)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_file_of_asciinema_has_every_event_and_no_long_pause() -> None:
    header, *events = map(json.loads, RECORDING.cast().splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert [kind for _, kind, _ in events] == ["o"] * len(SHOWN)
    assert "".join(text for _, _, text in events) == "".join(text for _, text in SHOWN)
    times = [time for time, _, _ in events]
    assert times[0] == 0
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) == LONGEST_PAUSE


def test_the_picture_shows_each_screen_that_stayed_long_enough_to_read() -> None:
    svg = RECORDING.svg()
    texts = ["".join(item.itertext()) for item in ET.fromstring(svg).iter(f"{SVG}text")]
    assert texts == ["# mstunnel-setup", "loading 2", "<ok> & done"]
    assert "<tspan class='b'>mstunnel-setup</tspan>" in svg
    frames = list(ET.fromstring(svg).iter(f"{SVG}g"))
    assert [len(list(frame)) for frame in frames] == [1, 2, 3]
    assert f"animation: {round(LONGEST_PAUSE + 0.05 + 0.95 + LAST_FRAME, 2)}s" in svg


def test_full_width_characters_take_two_cells_each_and_none_is_lost() -> None:
    svg = Recording(80, 24, [(1.0, "サイト  東京\r\n")]).svg()
    assert ["".join(item.itertext()) for item in ET.fromstring(svg).iter(f"{SVG}text")] == ["サイト  東京"]
    assert f"<tspan textLength='{6 * CELL[0]:.1f}' lengthAdjust='spacingAndGlyphs'>サイト</tspan>" in svg
