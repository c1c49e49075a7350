"""Messages, declared once for all their versions and compiled to flat functions.

`Struct` and its field types say what a message is; `decoder` and `encoder` give the functions for one version. Nothing
here knows Kafka's messages, only how Kafka writes them down.
"""

from drave.schema.compiler import decoder, encoder, source
from drave.schema.declaration import Struct, nullable, since, tagged, until
from drave.schema.errors import SchemaError, UndeclaredVersion
from drave.schema.types import (
    ZERO_UUID,
    Buffer,
    boolean,
    float64,
    int8,
    int16,
    int32,
    int64,
    record_slices,
    records,
    uint16,
    uint32,
    uuid,
)

__all__ = [
    "ZERO_UUID",
    "Buffer",
    "SchemaError",
    "Struct",
    "UndeclaredVersion",
    "boolean",
    "decoder",
    "encoder",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "nullable",
    "record_slices",
    "records",
    "since",
    "source",
    "tagged",
    "uint16",
    "uint32",
    "until",
    "uuid",
]
