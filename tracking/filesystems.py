"""Which file system a path lies on: on a network one SQLite's write-ahead log is not safe. For the store and doctor."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]

NETWORK = frozenset(
    {"9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs"}
    | {"fuse.glusterfs", "fuse.rclone", "lustre", "ncpfs", "nfs", "nfs4", "smb2", "smb3", "smbfs", "sshfs", "webdav"}
)


def kind_of(path: Path) -> str | None:
    """The type of the file system that holds this path (`ext4`, `nfs4`), where it can be told."""
    real = path.resolve()
    try:
        mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    except (OSError, RuntimeError):  # no mount table here
        return None
    return next((mounts[place] for place in (real, *real.parents) if place in mounts), None)
