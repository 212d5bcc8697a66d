"""The 2A03: registers, channels, mixer, band-limited rendering, VGM, WAV and live sound.

It may import `lakhnes.runtime` and nothing else of the project. Nothing is here yet.
"""

__all__: list[str] = []
