"""Media that runs log and tables hold: images, recordings, films, pages, figures, charts. Each makes its own record."""

from weft.tracking.media import plot
from weft.tracking.media.audio import Audio
from weft.tracking.media.base import Media
from weft.tracking.media.chart import Chart
from weft.tracking.media.histogram import Histogram
from weft.tracking.media.html import Html
from weft.tracking.media.image import Classes, Image
from weft.tracking.media.molecule import Molecule
from weft.tracking.media.object3d import Object3D
from weft.tracking.media.plotly import Plotly
from weft.tracking.media.restoring import restore, revived
from weft.tracking.media.video import Video

__all__ = [
    "Audio",
    "Chart",
    "Classes",
    "Histogram",
    "Html",
    "Image",
    "Media",
    "Molecule",
    "Object3D",
    "Plotly",
    "Video",
    "plot",
    "restore",
    "revived",
]
