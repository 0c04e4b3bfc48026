import base64
import hashlib
import zlib

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records.digest import digest_file

DATA = bytes(range(256)) * 13_000  # 3.3 MB: more than one read


def test_one_pass_gives_size_sha256_and_crc32(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(DATA)
    digest = digest_file(path)
    assert digest.size_bytes == len(DATA)
    assert digest.sha256 == hashlib.sha256(DATA).hexdigest()
    assert digest.sha256_base64 == base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert int(digest.crc32, 16) == zlib.crc32(DATA)
    assert base64.b64decode(digest.crc32_base64) == zlib.crc32(DATA).to_bytes(4, "big")
    assert digest.composite_crc32_base64 is None


@pytest.mark.parametrize("part_bytes", [1 << 20, 1_000_003, 256, len(DATA), len(DATA) * 2])
def test_a_composite_checksum_is_that_of_the_parts_checksums(tmp_path, part_bytes):
    path = tmp_path / "data"
    path.write_bytes(DATA)
    parts = [DATA[start : start + part_bytes] for start in range(0, len(DATA), part_bytes)]
    joined = b"".join(zlib.crc32(part).to_bytes(4, "big") for part in parts)
    expected = base64.b64encode(zlib.crc32(joined).to_bytes(4, "big")).decode() + f"-{len(parts)}"
    assert digest_file(path, part_bytes=part_bytes).composite_crc32_base64 == expected


def test_an_empty_file_has_a_digest_too(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"")
    assert digest_file(path).crc32 == "00000000"
    assert digest_file(path).size_bytes == 0


def test_what_cannot_be_digested_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        digest_file(tmp_path / "nowhere")
    with pytest.raises(SpecError, match="at least one byte"):
        digest_file(tmp_path, part_bytes=0)
