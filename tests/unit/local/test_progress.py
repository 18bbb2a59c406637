from __future__ import annotations

from millstream.local.progress import Progress


def sent(progress: Progress, shopper: str, partition: int, offset: int, at_ms: int = 0) -> None:
    progress.sending(shopper)
    progress.acknowledged(shopper, (partition, offset), at_ms)


def test_a_list_answers_its_shopper_and_passes_the_partition() -> None:
    progress = Progress()
    sent(progress, "u", 0, 0, at_ms=100)
    sent(progress, "v", 0, 1, at_ms=110)
    sent(progress, "u", 0, 2, at_ms=120)
    sent(progress, "w", 0, 3)
    sent(progress, "x", 1, 0)
    assert progress.listed("u", (0, 2), 150) == 30
    assert not progress.is_busy("u")
    assert progress.is_busy("v"), "recorded, but its own list is on its way"
    assert (progress.outstanding, progress.unsettled) == (2, 3)
    assert progress.listed("v", (0, 1), 155) == 45
    assert not progress.is_busy("v")
    assert progress.latencies_ms == [30, 45]


def test_events_count_as_outstanding_before_the_broker_has_answered() -> None:
    progress = Progress()
    progress.sending("u")
    assert (progress.outstanding, progress.unsettled, progress.is_busy("u")) == (1, 1, True)


def test_a_list_that_overtakes_the_brokers_answer_is_not_lost() -> None:
    progress = Progress()
    progress.sending("u")
    progress.sending("v")
    assert progress.listed("u", (0, 1), 150) is None
    progress.acknowledged("v", (0, 0), 90)
    progress.acknowledged("u", (0, 1), 100)
    assert progress.latencies_ms == [50]
    assert not progress.is_busy("u")
    assert (progress.outstanding, progress.unsettled) == (0, 1)


def test_a_list_that_comes_twice_counts_once() -> None:
    progress = Progress()
    sent(progress, "u", 0, 0)
    assert progress.listed("u", (0, 0), 10) == 10
    assert progress.listed("u", (0, 0), 99) is None
    assert (progress.lists, progress.latencies_ms) == (1, [10])


def test_an_older_list_leaves_the_later_event_unanswered() -> None:
    progress = Progress()
    sent(progress, "u", 0, 0)
    sent(progress, "u", 0, 1)
    progress.listed("u", (0, 0), 10)
    assert progress.is_busy("u")
    assert progress.shoppers_left_behind == 1
    progress.listed("u", (0, 1), 20)
    assert progress.shoppers_left_behind == 0


def test_a_passed_event_without_a_list_is_given_up_after_the_grace() -> None:
    progress = Progress()
    sent(progress, "refused", 0, 0)
    sent(progress, "v", 0, 1)
    progress.listed("v", (0, 1), 1_000)
    progress.give_up(3_000, grace_ms=2_000)
    assert progress.is_busy("refused")
    progress.give_up(3_001, grace_ms=2_000)
    assert not progress.is_busy("refused")
    assert (progress.unanswered, progress.unsettled, progress.outstanding) == (1, 0, 0)
    assert progress.shoppers_left_behind == 1


def test_nothing_is_given_up_while_the_partition_stands_still() -> None:
    progress = Progress()
    sent(progress, "u", 0, 0)
    sent(progress, "v", 1, 0)
    progress.listed("v", (1, 0), 10)
    progress.give_up(1_000_000, grace_ms=2_000)
    assert progress.is_busy("u")


def test_ends_are_the_offsets_after_the_last_sent() -> None:
    progress = Progress()
    sent(progress, "u", 3, 41)
    sent(progress, "v", 0, 7)
    sent(progress, "u", 3, 42)
    assert progress.ends == {3: 43, 0: 8}
