"""`weft.Video`: a film, or frames that become one."""

from __future__ import annotations

import io
import logging
import math
import os
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from weft.tracking.errors import UsageError
from weft.tracking.media.arrays import fetched, is_array, numpy_for
from weft.tracking.media.base import FileMedia, Record, StoreBlob, file_content, read_file, seconds_field, size_field
from weft.tracking.media.pixels import pillow, to_bytes
from weft.tracking.media.rasters import size_of
from weft.tracking.payloads import mediatypes
from weft.tracking.payloads.content import Content

if TYPE_CHECKING:
    from weft.tracking.blobs import Blobs

_FILES = {"gif": "image/gif", "mp4": "video/mp4", "webm": "video/webm", "ogg": "video/ogg", "ogv": "video/ogg"}
log = logging.getLogger("weft.media")
FPS = 4
"""Frames a second where nothing is said."""


class Video(FileMedia):
    """A film. Frames are encoded at once, as an animated GIF unless told: nothing of the array is kept.

    Args:
        data_or_path: frames of the shape (time, channels, height, width), or (films, time, channels, height, width),
            which are put beside each other; the path of a file; its bytes or an open file (then with `format`); a
            Content.
        caption: shown below it.
        fps: frames a second of an array; default 4. A file has its own.
        format: gif, mp4, webm or ogg. Arrays become mp4 or webm where `imageio` and `imageio-ffmpeg` are installed;
            without them, and for ogg, they become a gif, and a log line says so.

    Raises:
        UsageError: there is no such file, or no film can be made of it.
        TypeError: it is nothing that can be shown.
        MissingExtraError: frames need Pillow, and it is not installed.

    Example:
        >>> run.log({"rollout": weft.Video(frames, fps=20)})
    """

    kind: ClassVar[str] = "video-file"
    batch: ClassVar[str] = "videos"
    folder: ClassVar[str] = "videos"

    def __init__(
        self,
        data_or_path: Any,
        caption: str | None = None,
        fps: int | float | None = None,
        format: str | None = None,  # noqa: A002 - wandb's name for it
    ) -> None:
        super().__init__(caption)
        ending = None if format is None else str(format).lower().lstrip(".")
        if ending is not None and ending not in _FILES:
            raise UsageError(f"Video(format=) must be one of {', '.join(_FILES)}, got {format!r:.40}")
        if fps is not None and (isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= 1000):
            raise UsageError(f"Video(fps=) must be frames a second, above 0 and at most 1000, got {fps!r:.40}")
        self.frames: int | None = None
        """Of an array."""
        self.fps: float | None = None
        """Frames a second, of an array."""
        self.width: int | None = None
        """Pixels, of an array or a GIF."""
        self.height: int | None = None
        if is_array(data_or_path):
            self.fps = float(fps or FPS)
            self._content, frames = _encoded(data_or_path, self.fps, ending or "gif")
            self.frames, self.height, self.width = frames.shape[:3]
        else:
            self._content = _content_of(data_or_path, ending)
            self.width, self.height = size_of(self._content.held or b"") or (None, None)

    def _details(self, store_blob: StoreBlob | None) -> Record:
        return {"width": self.width, "height": self.height, "fps": self.fps, "frames": self.frames}

    def _restore(self, record: Mapping[str, Any], blobs: Blobs | None) -> None:
        super()._restore(record, blobs)
        self.width, self.height = size_field(record, "width"), size_field(record, "height")
        self.fps, self.frames = seconds_field(record, "fps"), size_field(record, "frames")


def _content_of(value: Any, ending: str | None) -> Content:
    if isinstance(value, (str, os.PathLike)):
        return read_file("Video", value, _FILES)
    if isinstance(value, Content):
        value = value.data
    elif callable(getattr(value, "read", None)):
        value = value.read()
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"Video() takes frames (an array), a path or bytes, got {type(value).__name__}")
    data = bytes(value)
    kind = mediatypes.sniffed(data)
    found = ending or next((each for each, known in _FILES.items() if known == kind), None)
    if found is None:
        raise UsageError("Video() of bytes needs format=, one of gif, mp4, webm, ogg: they begin as none of these")
    return file_content(data, found, _FILES[found])


def _encoded(value: Any, fps: float, ending: str) -> tuple[Content, Any]:
    """Frames as a film of this kind, or as a gif where nothing here can write it; and the frames."""
    frames = _frames(value)
    if ending != "gif":
        data = _by_ffmpeg(frames, fps, ending)
        if data is not None:
            return file_content(data, ending, _FILES[ending]), frames
        log.warning(
            "Video(format=%r): the frames are kept as a gif. For mp4 and webm: pip install imageio imageio-ffmpeg",
            ending,
        )
    return file_content(_gif(frames, fps), "gif", "image/gif"), frames


def _frames(value: Any) -> Any:
    """uint8 of the shape (time, height, width[, channels])."""
    shape = tuple(value.shape)
    array = fetched(value)
    numpy = numpy_for(array)
    array = numpy.asarray(array)
    if array.ndim == 5:
        array = _side_by_side(numpy, array)
    if array.ndim != 4 or array.shape[1] not in (1, 3, 4) or not array.size:
        raise UsageError(
            "Video() needs frames of the shape (time, channels, height, width) with 1, 3 or 4 channels; this array is "
            f"{shape}"
        )
    frames = to_bytes(numpy.moveaxis(array, 1, -1), normalize=array.dtype.kind == "f")
    return frames[..., 0] if frames.shape[-1] == 1 else frames


def _gif(frames: Any, fps: float) -> bytes:
    library = pillow("Video() of an array")
    pictures = [library.fromarray(numpy_for(frames).ascontiguousarray(frame)) for frame in frames]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=max(10, round(1000 / fps)), loop=0
    )
    return buffer.getvalue()


def _by_ffmpeg(frames: Any, fps: float, ending: str) -> bytes | None:
    """As browsers play it (yuv420p, sides cut to even ones); None where the libraries are missing or refuse."""
    codec = {"mp4": "libx264", "webm": "libvpx"}.get(ending)
    if codec is None or find_spec("imageio") is None or find_spec("imageio_ffmpeg") is None:
        return None
    import imageio.v2 as imageio  # the user's own libraries

    numpy = numpy_for(frames)
    if frames.ndim == 3:
        frames = numpy.repeat(frames[..., None], 3, axis=-1)
    frames = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2, :3]
    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        place = Path(folder, f"film.{ending}")
        try:
            writer = imageio.get_writer(
                place, fps=fps, codec=codec, pixelformat="yuv420p", macro_block_size=1, ffmpeg_log_level="error"
            )
            with writer:
                for frame in frames:
                    writer.append_data(frame)
            return place.read_bytes()
        except (OSError, ValueError, RuntimeError) as error:
            log.warning("imageio could not write these frames as %s: %s", ending, error)
            return None


def _side_by_side(numpy: Any, films: Any) -> Any:
    """(films, time, channels, height, width) as one film: a grid about as wide as it is high."""
    count, time, channels, height, width = films.shape
    columns = max(1, math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns) if count else 0
    made = numpy.zeros((time, channels, rows * height, columns * width), films.dtype)
    for at in range(count):
        top, left = at // columns * height, at % columns * width
        made[:, :, top : top + height, left : left + width] = films[at]
    return made
