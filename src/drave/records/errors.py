"""What can be wrong with a batch, one class for each, with the code that Kafka answers.

A batch whose bytes cannot be trusted (its length or CRC fails) is `CorruptBatch`: the client may send it again. One
that arrived as it was sent, but says something impossible, is `InvalidRecord`: sending it again would not help.
"""

from __future__ import annotations

from drave.model.errors import ErrorCode, ProtocolError


class CorruptBatch(ProtocolError):
    """The bytes are not the ones that were sent: cut short, or the length or CRC does not hold."""

    code = ErrorCode.CORRUPT_MESSAGE


class InvalidRecord(ProtocolError):
    """The bytes are intact, but what they say cannot be: counts, lengths, flags, compressed data."""

    code = ErrorCode.INVALID_RECORD


class InvalidTimestamp(ProtocolError):
    """A timestamp, or a timestamp type, that a producer may not send."""

    code = ErrorCode.INVALID_TIMESTAMP


class UnsupportedMagic(ProtocolError):
    """A message set of magic 0 or 1, which Kafka 4 no longer takes either (KIP-724)."""

    code = ErrorCode.INVALID_RECORD

    def __init__(self, magic: int) -> None:
        super().__init__(f"message format {magic} (magic {magic}) ended with Kafka 4.0; send record batches, magic 2")
        self.magic = magic


class UnsupportedCodec(ProtocolError):
    """The attributes name a codec that no Kafka knows."""

    code = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE

    def __init__(self, codec: int) -> None:
        super().__init__(f"compression codec {codec} is none of 0 (none), 1 (gzip), 2 (snappy), 3 (lz4), 4 (zstd)")
        self.codec = codec
