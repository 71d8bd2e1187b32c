"""What is recorded of a run without being asked: its console, its code and packages, its machine. Never in the way."""

from weft.tracking.surroundings.recorders import Recorders as Recorders
from weft.tracking.surroundings.recorders import start as start
