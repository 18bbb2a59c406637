"""What a run shows while it goes on, and the table at its end."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from millstream.local.chaos.report import Report


class View:
    """One line that changes: where the run is, which fault, what has been counted. Where there is
    no terminal, a line for each stage and fault."""

    def __init__(self, console: Console, minutes: float) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[fault]:<26} {task.fields[counts]}"),
            console=console,
            refresh_per_second=2,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(
            "the servers start", total=minutes * 60, fault="", counts=""
        )
        self._console = console

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def stage(self, name: str) -> None:
        self._update(description=name, fault="")
        if not self._console.is_terminal:
            self._console.print(f"{self._elapsed_s:7.1f} s  {name}", soft_wrap=True)

    def schedules(self, n: int) -> None:
        self._update(counts=f"{n:,} schedules")

    def fault(self, name: str) -> None:
        self._update(fault=name)
        if not self._console.is_terminal:
            self._console.print(f"{self._elapsed_s:7.1f} s  {name}", soft_wrap=True)

    def counted(self, report: Report) -> None:
        broken = f", [red]{len(report.violations)} violations[/red]" if report.broken else ""
        self._update(counts=f"{report.accepted:,} accepted, {report.faults} faults{broken}")

    def _update(self, **what: Any) -> None:
        self._progress.update(self._task, completed=self._elapsed_s, **what)

    @property
    def _elapsed_s(self) -> float:
        return self._progress.tasks[0].elapsed or 0.0


def summary(found: dict[str, Any]) -> Table:
    table = Table(title="What came of it", show_header=False, title_justify="left")
    for name, value in found.items():
        if name == "faults_by_kind":
            shown = ", ".join(f"{kind} {n}" for kind, n in value.items())
        elif name == "violations_told":
            shown = "\n".join(value)
        elif isinstance(value, int | float):
            shown = f"{value:,}"
        else:
            shown = "-" if value is None else str(value)
        table.add_row(name, shown)
    return table
