"""Where reports are stored: a bucket, or a folder with a copy of one."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backup_audit.aws import CLIENTS, aws_errors, said
from backup_audit.errors import ReportStoreFailed
from backup_audit.settings import DEFAULT_PREFIX
from backup_audit_cli.exit_status import WrongUsage


class Archive(Protocol):
    """A place that holds objects below it: a bucket, a prefix of one, or a folder with a copy.

    Keys are relative to it. A folder ends with a slash, or is empty: the place itself.
    """

    @property
    def where(self) -> str:
        """The place, as people write it, without a slash at its end."""

    def keys(self, under: str = "") -> Iterator[str]:
        """Every key below a folder, in any order; raise ReportStoreFailed.

        There are none below a folder that is not there; a place that is not there is an error.
        """

    def folders(self, under: str = "") -> Iterator[str]:
        """The folders right below a folder, in any order; raise ReportStoreFailed."""

    def has(self, key: str) -> bool:
        """Whether there is an object; raise ReportStoreFailed."""

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object's bytes; raise ReportStoreFailed if there is none, or it cannot be read."""


if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

_PIECE = 256 * 1024  # bytes


class BucketArchive:
    """An Archive in S3; its reader needs s3:ListBucket and s3:GetObject.

    `prefix` ends with a slash, or is empty.
    """

    def __init__(self, bucket: str, prefix: str, client: "Callable[[], S3Client]") -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._client = client

    @property
    def where(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def keys(self, under: str = "") -> Iterator[str]:
        """Every key below a folder."""
        for page in self._pages(under):
            for entry in page.get("Contents", []):
                yield entry["Key"].removeprefix(self._prefix)

    def folders(self, under: str = "") -> Iterator[str]:
        """The folders right below one: what keys have in common up to the next slash."""
        for page in self._pages(under, is_flat=False):
            for entry in page.get("CommonPrefixes", []):
                yield entry["Prefix"].removeprefix(self._prefix)

    def has(self, key: str) -> bool:
        """Whether there is an object: of all keys that begin like it, it is the first."""
        return next(self.keys(key), None) == key

    def _pages(self, under: str, *, is_flat: bool = True) -> "Iterator[ListObjectsV2OutputTypeDef]":
        whole = self._prefix + under
        try:
            listed = self._client().get_paginator("list_objects_v2")
            if is_flat:
                yield from listed.paginate(Bucket=self._bucket, Prefix=whole)
            else:
                yield from listed.paginate(Bucket=self._bucket, Prefix=whole, Delimiter="/")
        except aws_errors() as error:
            where = f"s3://{self._bucket}/{whole}"
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

    @property
    def where(self) -> str:
        return str(self._folder)

    def keys(self, under: str = "") -> Iterator[str]:
        """Every key below a folder."""
        files = (path for path in self._at(under).rglob("*") if path.is_file())
        yield from (path.relative_to(self._folder).as_posix() for path in files)

    def folders(self, under: str = "") -> Iterator[str]:
        """The folders right below one; what only links to a folder may lead in a circle."""
        at = self._at(under)
        if not at.is_dir():
            return
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield f"{under}{entry.name}/"
        except OSError as error:
            raise ReportStoreFailed(f"{at} could not be listed: {error.strerror}") from error

    def has(self, key: str) -> bool:
        """Whether there is an object."""
        return self._at(key).is_file()

    def _at(self, under: str) -> Path:
        """A folder below the place, which itself has to be there."""
        if not self._folder.is_dir():
            raise ReportStoreFailed(f"there is no folder {self._folder}")
        return self._folder / under

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


def place_or_bucket(where: str | None, environ: Mapping[str, str]) -> str:
    """The place that a person names, or the bucket and prefix that a deployment has.

    Raise WrongUsage if there is neither.
    """
    if where is not None:
        return where
    if bucket := environ.get("REPORT_BUCKET"):
        return f"s3://{bucket}/{environ.get('REPORT_PREFIX') or DEFAULT_PREFIX}"
    raise WrongUsage(
        "WHERE is missing: s3://bucket[/prefix], a folder with reports/ below it, or REPORT_BUCKET "
        "in the environment"
    )
