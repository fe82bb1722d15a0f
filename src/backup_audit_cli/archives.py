"""Where the reports to verify are stored: a bucket, or a folder with a copy of one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backup_audit.aws import CLIENTS, aws_errors, said
from backup_audit.errors import ReportStoreFailed


class Archive(Protocol):
    """A place that holds objects below it: a bucket, a prefix of one, or a folder with a copy.

    Keys are relative to it.
    """

    def keys(self) -> Iterator[str]:
        """Every key, in any order; raise ReportStoreFailed."""

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object's bytes; raise ReportStoreFailed if there is none, or it cannot be read."""


if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_PIECE = 256 * 1024  # bytes


class BucketArchive:
    """An Archive in S3; its reader needs s3:ListBucket and s3:GetObject.

    `prefix` ends with a slash, or is empty.
    """

    def __init__(self, bucket: str, prefix: str, client: "Callable[[], S3Client]") -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._client = client

    def keys(self) -> Iterator[str]:
        """Every key."""
        try:
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for entry in page.get("Contents", []):
                    yield entry["Key"].removeprefix(self._prefix)
        except aws_errors() as error:
            where = f"s3://{self._bucket}/{self._prefix}"
            raise ReportStoreFailed(f"{where} could not be listed: {said(error)}") from error

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object's bytes."""
        try:
            whole = self._prefix + key
            body = self._client().get_object(Bucket=self._bucket, Key=whole)["Body"]
            yield from body.iter_chunks(_PIECE)
        except aws_errors() as error:
            where = f"s3://{self._bucket}/{self._prefix}{key}"
            raise ReportStoreFailed(f"{where} could not be read: {said(error)}") from error


class FolderArchive:
    """An Archive in files under their keys, as `aws s3 sync` and `make run` leave it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keys(self) -> Iterator[str]:
        """Every key."""
        if not self._folder.is_dir():
            raise ReportStoreFailed(f"there is no folder {self._folder}")
        files = (path for path in self._folder.rglob("*") if path.is_file())
        yield from (path.relative_to(self._folder).as_posix() for path in files)

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object's bytes."""
        try:
            with (self._folder / key).open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as error:
            where = self._folder / key
            raise ReportStoreFailed(f"{where} could not be read: {error.strerror}") from error


def archive_at(where: str) -> Archive:
    """What is below s3://bucket or s3://bucket/prefix, or in a folder, also as file:folder."""
    if not where.startswith("s3://"):
        return FolderArchive(Path(where.removeprefix("file:")))
    bucket, _, prefix = where.removeprefix("s3://").rstrip("/").partition("/")
    return BucketArchive(bucket, f"{prefix}/" if prefix else "", lambda: CLIENTS.s3)
