"""The totals line: every counter, no ids."""

from __future__ import annotations

from structlog.testing import capture_logs

from millstream.recommender import telemetry


def test_a_tenants_records_are_told_under_its_name_and_nobodys_under_none() -> None:
    telemetry.count({}, {("tea-shop", "a"): 3, ("tea-shop", "b"): 1, (None, "b"): 7}, lists=0)
    told = {
        (sample.labels["tenant"], sample.labels["verdict"]): sample.value
        for metric in telemetry.TENANT_RECORDS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    assert told["tea-shop", "accepted"] == 3
    assert told["tea-shop", "bad"] == 1
    assert all(told[of] != 7 for of in told)


def test_the_line_holds_what_was_counted() -> None:
    before = telemetry.totals()
    telemetry.count({"a": 3, "d": 2}, {}, lists=4)
    telemetry.REMOVED.labels("bought").inc(5)
    telemetry.SOURCE_FAILURES.labels("popular").inc()
    telemetry.HOLES.inc(6)
    telemetry.REWINDS.inc()
    telemetry.SWAPS.labels("served").inc()
    telemetry.ANNOUNCEMENTS_REFUSED.inc()
    with capture_logs() as logs:
        telemetry.log_totals(catalogue_refused=7)
    (line,) = logs
    assert (line["event"], line["catalogue_refused"]) == ("totals", 7)
    added = {
        name: n - before.get(name, 0)
        for name, n in line.items()
        if isinstance(n, float) and n != before.get(name, 0)
    }
    assert added == {
        "records.accepted": 3,
        "records.duplicate": 2,
        "lists": 4,
        "items_removed.bought": 5,
        "source_failures.popular": 1,
        "log_holes": 6,
        "rewinds": 1,
        "model_swaps.served": 1,
        "announcements_refused": 1,
    }
