from __future__ import annotations

from millstream.local.pacing import Pacing, Window


def test_the_window_grows_by_one_for_a_windowful_in_time() -> None:
    window = Window(Pacing())
    before = window.size
    for _ in range(before + 1):
        window.answered(10, now_ms=1_000)
    assert window.size == before + 1


def test_a_late_answer_cuts_once_for_all_events_sent_before_the_cut() -> None:
    window = Window(Pacing(target_ms=250))
    for _ in range(50):
        window.answered(400, now_ms=1_000)
    assert window.size == 48
    window.answered(400, now_ms=1_399)  # sent at 999
    assert window.size == 48
    window.answered(400, now_ms=1_400)
    assert window.size == 36


def test_the_window_stays_within_its_bounds() -> None:
    pacing = Pacing(least_window=8, most_window=80)
    window = Window(pacing)
    for step in range(100):
        window.answered(300, now_ms=1_000 * step + 1_000)
    assert window.size == 8
    for _ in range(10_000):
        window.answered(1, now_ms=1)
    assert window.size == 80
