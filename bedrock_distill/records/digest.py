"""What identifies a file's bytes: SHA-256 and size, and the CRC-32 that S3 keeps with an object.

boto3 sends a CRC-32 with every upload unless it is told otherwise. S3 keeps it and gives it back in base64
(`ChecksumCRC32`): for an object put in one piece it is the checksum of its bytes; for a multipart object of type
`COMPOSITE` it is the checksum of the parts' checksums, followed by a hyphen and the number of parts.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_distill.errors import DataError, SpecError

if TYPE_CHECKING:
    import os

__all__ = ["FileDigest", "crc32_base64", "digest_file"]

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file's digests, taken in one pass."""

    sha256: str
    """SHA-256 of the bytes, in hex."""
    crc32: str
    """CRC-32 of the bytes, in hex."""
    size_bytes: int
    part_bytes: int | None = None
    """Size of the parts that `composite_crc32_base64` is for, or None where none was asked for."""
    part_crc32s: tuple[int, ...] = ()
    """CRC-32 of each part."""

    @property
    def sha256_base64(self) -> str:
        """SHA-256 as S3's `ChecksumSHA256` has it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    @property
    def crc32_base64(self) -> str:
        """CRC-32 as S3's `ChecksumCRC32` has it for an object put in one piece, or a full-object checksum."""
        return crc32_base64(int(self.crc32, 16))

    @property
    def composite_crc32_base64(self) -> str | None:
        """CRC-32 as S3's `ChecksumCRC32` has it for a multipart object of type `COMPOSITE`; None without parts."""
        if self.part_bytes is None:
            return None
        joined = b"".join(crc.to_bytes(4, "big") for crc in self.part_crc32s)
        return f"{crc32_base64(zlib.crc32(joined))}-{len(self.part_crc32s)}"


def crc32_base64(crc: int) -> str:
    """A CRC-32 as S3 writes it: four bytes, big-endian, in base64."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def digest_file(path: str | os.PathLike[str], *, part_bytes: int | None = None) -> FileDigest:
    """Digest a file as it lies on disk, in one pass and constant memory.

    Args:
        path: The file; what is packed is not unpacked.
        part_bytes: Size of the parts of a multipart upload, if `composite_crc32_base64` is wanted.

    Raises:
        DataError: If the file cannot be read.
        SpecError: If `part_bytes` is less than one.
    """
    if part_bytes is not None and part_bytes < 1:
        raise SpecError(
            f"A part must have at least one byte, not {part_bytes}.", field="part_bytes", value=part_bytes
        )
    sha256, crc, size = hashlib.sha256(), 0, 0
    part_crcs: list[int] = []
    step = part_bytes or _CHUNK_BYTES
    try:
        with Path(path).open("rb", buffering=0) as stream:
            # No read crosses the end of a part.
            while chunk := stream.read(min(_CHUNK_BYTES, step - size % step)):
                sha256.update(chunk)
                crc = zlib.crc32(chunk, crc)
                if part_bytes is not None:
                    before = 0 if size % part_bytes == 0 else part_crcs.pop()
                    part_crcs.append(zlib.crc32(chunk, before))
                size += len(chunk)
    except OSError as error:
        raise DataError(f"Could not read {str(path)!r}: {error.strerror or error}.") from error
    return FileDigest(sha256.hexdigest(), f"{crc:08x}", size, part_bytes, tuple(part_crcs))
