"""What an artifact names without holding it: files, web addresses, buckets. Looked up when added, checked when fetched.

Nothing here runs unless a program asks for it by `add_reference`, `download` or `open`.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from weft.tracking import folders, runtime
from weft.tracking.artifacts.knownfiles import KnownFiles
from weft.tracking.artifacts.manifest import SHA256, Entry, check_path
from weft.tracking.errors import Error, MissingExtraError, NotFoundError, StoreError, UsageError
from weft.tracking.faults import let_through
from weft.tracking.names import check_local_path
from weft.tracking.payloads.redaction import redact_text

MAX_OBJECTS = 10_000_000
SECONDS = 30.0
"""How long a server may say nothing."""
_BUCKETS = {"s3": ("s3", "s3fs"), "gs": ("gcs", "gcsfs"), "gcs": ("gcs", "gcsfs")}
"""By scheme: the extra, and the package that fsspec reads it with."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")
_SAID_IN_ADDRESS = re.compile(r"[#?]")
"""gcsfs takes a version behind these; a key that holds one itself cannot be told from that."""
_CHUNK = 1 << 20


def look_up(
    uri: str | os.PathLike[str], name: str | None, *, checksum: bool = True, max_objects: int | None = None
) -> list[Entry]:
    """What is to be known of an address, as entries of a manifest. See `Artifact.add_reference`."""
    address = os.fspath(uri) if isinstance(uri, os.PathLike) else uri
    most = MAX_OBJECTS if max_objects is None else max_objects
    if not isinstance(address, str) or not address.strip():
        raise UsageError(f"a reference is an address like s3://bucket/key or file:///folder, got {uri!r:.80}")
    check_local_path("add_reference()", address)
    if name is not None:
        check_path(name)
    if not _SCHEME.match(address):
        address = Path(address).absolute().as_uri()
    parts = urlsplit(address)
    if parts.password or (parts.username and parts.scheme in ("http", "https")):
        raise UsageError("a reference's address must hold no user name or password: it is written into the journal")
    if redact_text(address, True) != address:
        raise UsageError(
            "a reference's address holds what looks like a secret (a signed address, a key): it would be written into "
            "the journal, and would not work for long. Give the plain address"
        )
    if parts.scheme == "file":
        return _of_files(address, name, checksum, most)
    if not checksum:
        return [Entry(name or _last(address), address, None, address, "uri")]
    if parts.scheme in ("http", "https"):
        return [_of_web(address, name or _last(address))]
    if parts.scheme in _BUCKETS:
        return _of_bucket(address, parts.scheme, name, most)
    return [Entry(name or _last(address), address, None, address, "uri")]


def body(entry: Entry) -> dict[str, Any]:
    """The entry as it stands in a manifest."""
    plain: dict[str, Any] = {"digest": entry.digest, "size_bytes": entry.size}
    if entry.ref is None:
        return plain
    more = {"ref": entry.ref, "check": entry.check, "version_id": entry.version_id}
    return plain | {key: value for key, value in more.items() if value is not None}


@contextmanager
def opened(entry: Entry) -> Iterator[BinaryIO]:
    """The referenced content, for reading; a server's word of it is compared first.

    Raises:
        NotFoundError: it is no longer there.
        StoreError: it is there, and no longer what was referenced.
        UsageError: nobody knows how to read this kind of address.
        MissingExtraError: the package that reads it is not installed.
        OSError: it could not be read.
    """
    address = entry.ref or ""
    scheme = urlsplit(address).scheme
    if scheme == "file":
        try:
            with os.fdopen(folders.open_plain(_local(address))[0], "rb") as file:
                yield file
        except (FileNotFoundError, NotADirectoryError):
            raise _gone(address) from None
    elif scheme in ("http", "https"):
        with _asked(urllib.request.Request(address)) as answer:
            if entry.check == "etag" and _etag(answer) != entry.digest:
                raise _changed(entry, _etag(answer))
            yield answer
    elif scheme in _BUCKETS:
        with _object(entry, address, scheme) as file:
            yield file
    else:
        raise UsageError(f"weft cannot fetch {address!r:.200}: it reads file, http, https, s3 and gs addresses")


def write(entry: Entry, out: BinaryIO) -> None:
    """Fetch the content into a file, checked.

    Raises:
        NotFoundError, StoreError, UsageError, MissingExtraError, OSError: as `opened`.
    """
    sha, size = hashlib.sha256(), 0
    with opened(entry) as source:
        while chunk := source.read(_CHUNK):
            sha.update(chunk)
            size += len(chunk)
            out.write(chunk)
    if entry.check == SHA256 and sha.hexdigest() != entry.digest:
        raise _changed(entry, sha.hexdigest())
    if entry.size is not None and size != entry.size and entry.check != "uri":
        raise _changed(entry, f"{size} bytes")


def _of_files(address: str, name: str | None, checksum: bool, most: int) -> list[Entry]:
    place = _local(address)
    if not place.exists():
        raise _gone(address)
    if not place.is_dir():
        return [_of_file(str(place), name or check_path(place.name), place.stat().st_size, checksum)]
    prefix = "" if name is None else f"{name}/"
    known = KnownFiles(runtime.active().home, str(place))
    made: list[Entry] = []
    for found in folders.files(str(place)):
        if len(made) == most:
            raise _too_many(address, most)
        digest = known.digest(found.name, found.info) if checksum else None
        made.append(_of_file(found.path, check_path(prefix + found.name), found.info.st_size, checksum, digest))
    return made


def _of_file(place: str, path: str, size: int, checksum: bool, digest: str | None = None) -> Entry:
    address = Path(place).absolute().as_uri()
    if not checksum:
        return Entry(path, address, None, address, "uri")  # a size would tell versions apart
    if digest is None:
        with os.fdopen(folders.open_plain(place)[0], "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    return Entry(path, digest, size, address)


def _of_web(address: str, path: str) -> Entry:
    try:
        with _asked(urllib.request.Request(address, method="HEAD")) as answer:
            found = answer
    except NotImplementedError:  # no HEAD there
        with _asked(urllib.request.Request(address)) as answer:
            found = answer
    told = found.headers.get("Content-Length")
    size = int(told) if told is not None and told.isdigit() else None
    etag = _etag(found)
    return Entry(path, etag, size, address, "etag") if etag else Entry(path, address, size, address, "uri")


def _of_bucket(address: str, scheme: str, name: str | None, most: int) -> list[Entry]:
    files = _bucket(scheme)
    info = _info(files, address)
    if info.get("type") != "directory":
        key = address.rstrip("/").rpartition("/")[2]  # as it is: # and % are letters of a key
        return [_of_object(address, info, name or _plain(key))]
    prefix = "" if name is None else f"{name}/"
    root = str(info["name"]).rstrip("/")
    made: list[Entry] = []
    with _plainly(address):
        below_it = files.find(address, detail=True)
    for place, one in below_it.items():
        if len(made) == most:
            raise _too_many(address, most)
        below = str(place)[len(root) :].lstrip("/")
        made.append(_of_object(f"{scheme}://{place}", one, check_path(prefix + below)))
    if not made:
        raise _gone(address)
    return made


def _of_object(address: str, info: dict[str, Any], path: str) -> Entry:
    digest, check = _identity(info)
    size = info.get("size")
    version = info.get("VersionId") or info.get("version_aware") or info.get("generation")
    known = str(version) if version not in (None, "null", True, False) else None
    return Entry(path, digest or address, int(size) if size is not None else None, address, check, known)


def _identity(info: dict[str, Any]) -> tuple[str, str]:
    """What the bucket says that the content is: its ETag, else its md5."""
    etag = info.get("ETag") or info.get("etag")
    if etag:
        return str(etag).strip('"'), "etag"
    md5 = info.get("md5Hash")
    return (str(md5), "md5") if md5 else ("", "uri")


def _bucket(scheme: str, *, versions: bool = False) -> Any:
    extra, package = _BUCKETS[scheme]
    try:
        import fsspec  # type: ignore[import-untyped,import-not-found,unused-ignore]  # late: only for buckets

        more = {"version_aware": True} if versions else {}
        return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False, **more)
    except ImportError as error:
        raise MissingExtraError(f"a reference to {scheme}:// (read by {package})", extra) from error


@contextmanager
def _plainly(address: str) -> Iterator[None]:
    """What the libraries of buckets raise, as one line that names the address."""
    try:
        yield
    except (Error, FileNotFoundError):
        raise
    except Exception as error:
        let_through(error)
        kind = next((one for one in (PermissionError, OSError) if isinstance(error, one)), Error)
        first = next(iter(str(error).splitlines()), "")
        raise kind(
            f"{address!r:.300} cannot be read: {type(error).__name__}: {first:.200}. Look at the bucket's name and at "
            "the credentials for it (add_reference(..., checksum=False) notes an address without looking)"
        ) from error


def _info(files: Any, address: str) -> dict[str, Any]:
    try:
        with _plainly(address):
            found: dict[str, Any] = files.info(address)
    except FileNotFoundError:
        raise _gone(address) from None
    return found


@contextmanager
def _object(entry: Entry, address: str, scheme: str) -> Iterator[BinaryIO]:
    """The version that was referenced, where the bucket still has it; else what is there now, if that is the same."""
    info: dict[str, Any] | None = None
    of_google = _BUCKETS[scheme][0] == "gcs"
    if entry.version_id and not (of_google and _SAID_IN_ADDRESS.search(address)):
        files = _bucket(scheme, versions=True)
        place = f"{address}#{entry.version_id}" if of_google else address
        more = {} if of_google else {"version_id": entry.version_id}
        with suppress(FileNotFoundError), _plainly(address):
            info = files.info(place, **more)
    if info is None:
        files, place, more = _bucket(scheme), address, {}
        info = _info(files, address)
    if entry.check != "uri" and _identity(info)[0] != entry.digest:
        raise _changed(entry, _identity(info)[0])
    with _plainly(address):
        opened_there = files.open(place, "rb", **more)
    with opened_there as file:
        yield file


@contextmanager
def _asked(request: urllib.request.Request) -> Iterator[Any]:
    try:
        answer = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise _gone(request.full_url) from None
        if error.code in (405, 501) and request.get_method() == "HEAD":
            raise NotImplementedError from None
        raise Error(f"{request.full_url} answered {error.code} {error.reason}; the reference cannot be read") from None
    except urllib.error.URLError as error:
        raise Error(f"{request.full_url} cannot be reached: {error.reason}") from error
    with answer:
        yield answer


def _etag(answer: Any) -> str:
    told: str = answer.headers.get("ETag") or ""
    return told.removeprefix("W/").strip('"')


def _local(address: str) -> Path:
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost"):
        raise UsageError(f"{address!r:.200} is on another machine; a file address is like file:///folder/file")
    return Path(unquote(parts.path))


def _last(address: str) -> str:
    parts = urlsplit(address)
    return _plain(unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc)


def _plain(last: str) -> str:
    try:
        return check_path(last)
    except UsageError as error:
        raise UsageError(f"{error} Give the reference a name: add_reference(uri, name=...)") from None


def _gone(address: str) -> NotFoundError:
    return NotFoundError(f"nothing is at {address!r:.300}, which a reference names")


def _changed(entry: Entry, found: str) -> StoreError:
    return StoreError(
        f"{entry.ref!r:.300} is not what {entry.path!r:.150} referred to: its {entry.check} was {entry.digest:.80}, "
        f"now it is {found:.80}. Log the artifact again to take the new content"
    )


def _too_many(address: str, most: int) -> UsageError:
    return UsageError(f"{address!r:.200} holds more than {most:,} files; give max_objects= to take more")
