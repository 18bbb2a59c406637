"""Makes the shipped Parquet of UCI Online Retail from the publisher's CSV.

python -m millstream.local.prepare online_retail.csv.gz [target.parquet]"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import polars as pl

from millstream.domain.errors import OperatorError

SHIPPED = Path(__file__).parent / "data" / "online_retail.parquet"
CSV_COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
)


def convert(source: Path, target: Path) -> int:
    """Writes the columns the replay needs, in the source's order; returns the number of lines.

    Repeated texts become dictionary pages, whole numbers Int32, times milliseconds."""
    lines = read_lines(source)
    lines.write_parquet(target, compression="zstd", compression_level=19, statistics=False)
    return lines.height


def read_lines(source: Path) -> pl.DataFrame:
    """The columns the replay needs, from the publisher's CSV. Raises OperatorError; blocks."""
    if not source.is_file():
        raise OperatorError("source", str(source), "the publisher's CSV, plain or gzip")
    texts = pl.read_csv(source, columns=list(CSV_COLUMNS), infer_schema=False)
    return texts.select(
        invoice=pl.col("InvoiceNo"),
        item_id=pl.col("StockCode"),
        description=pl.col("Description"),
        quantity=pl.col("Quantity").cast(pl.Int32),
        time=pl.col("InvoiceDate").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms"),
        price=pl.col("UnitPrice").cast(pl.Float64),
        customer=pl.col("CustomerID").cast(pl.Float64).cast(pl.Int32),  # "17850.0" in the CSV
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="online_retail.csv or .csv.gz")
    parser.add_argument("target", type=Path, nargs="?", default=SHIPPED)
    given = parser.parse_args()
    lines = convert(given.source, given.target)
    sys.stdout.write(f"{lines} lines, {given.target.stat().st_size} bytes: {given.target.name}\n")


if __name__ == "__main__":
    main()
