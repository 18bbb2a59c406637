"""The lake: every record of the log in Parquet, readable while it grows.

Readers: `offsets`, `records`, `read_accepted`, `accepted_counts`. Its one writer: `LakeWriter`,
`merge_small` and `forget`. Other tools may read the files as a Hive-partitioned data set, but while
files are merged they see the merged one and its parts for a moment; these functions do not."""

from millstream.stores.lake.accepted import (
    ACCEPTED_SCHEMA,
    AcceptedCounts,
    accepted_counts,
    read_accepted,
)
from millstream.stores.lake.blank import blanked, is_blank
from millstream.stores.lake.forget import Forgotten, forget, is_forgotten, remembered
from millstream.stores.lake.merge import merge_small
from millstream.stores.lake.ranges import LakeDamaged, Range
from millstream.stores.lake.read import last_record, offsets, records
from millstream.stores.lake.write import LakeWriter, RangeRefused

__all__ = [
    "ACCEPTED_SCHEMA",
    "AcceptedCounts",
    "Forgotten",
    "LakeDamaged",
    "LakeWriter",
    "Range",
    "RangeRefused",
    "accepted_counts",
    "blanked",
    "forget",
    "is_blank",
    "is_forgotten",
    "last_record",
    "merge_small",
    "offsets",
    "read_accepted",
    "records",
    "remembered",
]
