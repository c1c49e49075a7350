"""Record batch v2: the same bytes on the wire, in the broker and on disk.

    batch.py        the header; splitting, checking and placing whole batches without looking inside
    record.py       the records inside: reading, building, compressing anew
    control.py      transaction markers
    thinning.py     what compaction leaves of a batch
    compression.py  the codecs
    errors.py       what can be wrong

Pure: bytes in, bytes or facts out. Whatever bytes are given, only a `ProtocolError` comes back.
"""

from drave.records.batch import (
    APPEND_TIME,
    CONTROL,
    HEADER_SIZE,
    LENGTH_END,
    TRANSACTIONAL,
    BatchHeader,
    check,
    check_intact,
    parse_header,
    place,
    split,
    stamp_append_time,
)
from drave.records.compression import Buffer, Codec, compress, decompress
from drave.records.control import ControlKind, Marker, control_batch, parse_control
from drave.records.errors import (
    CorruptBatch,
    InvalidRecord,
    InvalidTimestamp,
    UnsupportedCodec,
    UnsupportedMagic,
)
from drave.records.record import Headers, NewRecord, Record, build_batch, read_records, recompress
from drave.records.thinning import DELETE_HORIZON, Outline, delete_horizon, keep, outline

__all__ = [
    "APPEND_TIME",
    "CONTROL",
    "DELETE_HORIZON",
    "HEADER_SIZE",
    "LENGTH_END",
    "TRANSACTIONAL",
    "BatchHeader",
    "Buffer",
    "Codec",
    "ControlKind",
    "CorruptBatch",
    "Headers",
    "InvalidRecord",
    "InvalidTimestamp",
    "Marker",
    "NewRecord",
    "Outline",
    "Record",
    "UnsupportedCodec",
    "UnsupportedMagic",
    "build_batch",
    "check",
    "check_intact",
    "compress",
    "control_batch",
    "decompress",
    "delete_horizon",
    "keep",
    "outline",
    "parse_control",
    "parse_header",
    "place",
    "read_records",
    "recompress",
    "split",
    "stamp_append_time",
]
