"""Music for trackers, as the texts of FamiTracker and of FamiStudio, out and in."""

from lakhnes.apu.trackers.famistudio import famistudio_text
from lakhnes.apu.trackers.famistudio_reader import parse_famistudio
from lakhnes.apu.trackers.famitracker import famitracker_text
from lakhnes.apu.trackers.famitracker_reader import parse_famitracker
from lakhnes.apu.trackers.tracker_music import TrackerMusic

__all__ = ["TrackerMusic", "famistudio_text", "famitracker_text", "parse_famistudio", "parse_famitracker"]
