"""Where parts leave their files: a directory, or a prefix on S3. A file appears whole or not at all."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bedrock_distill.errors import BedrockDistillError, DataError
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.harvest.s3 import S3Place

__all__ = ["OURS", "LocalPlace", "open_place", "portable_clients"]


OURS = re.compile(r"\.?part-\d{6}\.(jsonl|keys|json|sketches|sketched)(\.[0-9a-f]{8}\.draft)?")
"""Names of parts' files and of drafts that a kill left behind."""


class LocalPlace:
    """A directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A stream to a draft that takes the file's place at the end."""
        draft = self._path / f".{name}.{os.urandom(4).hex()}.draft"
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as stream:
                yield stream
            draft.replace(self._path / name)
        except (
            BedrockDistillError
        ):  # some are OSErrors, too, and about what is written here, not about writing it
            raise
        except OSError as error:
            raise DataError(
                f"Could not write {str(self._path / name)!r}: {error.strerror or error}."
            ) from error
        finally:
            with suppress(OSError):  # what is wrong with the folder is said above
                draft.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """The file's bytes."""
        try:
            return (self._path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DataError(
                f"Could not read {str(self._path / name)!r}: {error.strerror or error}."
            ) from error

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file itself."""
        yield self._path / name

    def clear(self) -> None:
        """Remove the parts' files, and the directory if nothing else is in it."""
        for path in self._path.glob("*part-*"):
            if OURS.fullmatch(path.name):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self._path.rmdir()


def open_place(uri: str, clients: Clients | None) -> LocalPlace | S3Place:
    """The place that a URI or path names."""
    if uri.startswith("s3:") and clients is not None:
        from bedrock_distill.harvest.s3 import S3Place  # noqa: PLC0415 - it loads boto3, which a disk does not need

        return S3Place(S3Uri.parse(uri), clients)
    return LocalPlace(Path(uri))


def portable_clients(gate: dict[str, str | None] | None) -> Clients | None:
    """A gate to AWS from what another process wrote of its own."""
    if gate is None:
        return None
    from bedrock_distill.aws import Clients  # noqa: PLC0415 - it loads boto3, which a disk does not need

    return Clients(profile=gate["profile"], region=gate["region"], endpoint_url=gate["endpoint_url"])
