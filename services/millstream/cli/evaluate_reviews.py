"""`millstream evaluate reviews`: good or bad, told from what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result


def reviews(
    data: Annotated[Path, typer.Option(help="A folder with blitzer.jsonl.gz.")],
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Review sentiment by ours, by the document's LSTM and by a linear SVM, on 5 folds."""
    from millstream.trainer.sentiment.evaluate import FOLDS, evaluate_reviews
    from millstream.trainer.train import limit_threads

    limit_threads(2)
    told = Console(stderr=True)
    found = evaluate_reviews(data, lambda line: told.print(line, markup=False))
    if json:
        write_result(f"evaluate reviews --data {data.resolve().name}", range(FOLDS), found)
        return
    Console().print(_table(found))
    Console().print(
        f"{found['reviews']} reviews, ECE {found['ece']}, {found['reviews_per_s']} a second of CPU"
    )


def _table(found: dict[str, Any]) -> Table:
    domains = list(found["accuracy_by_domain"])
    table = Table("accuracy, %", *domains, "mean")
    for title, name, by_domain in (
        ("ours", "accuracy", "accuracy_by_domain"),
        ("TF-IDF, linear SVM", "tfidf_svm", "tfidf_svm_by_domain"),
        ("the document's LSTM", "baseline_lstm", "baseline_lstm_by_domain"),
    ):
        shares = [found[by_domain][domain] for domain in domains]
        table.add_row(title, *(f"{100 * share:.1f}" for share in (*shares, found[name])))
    return table
