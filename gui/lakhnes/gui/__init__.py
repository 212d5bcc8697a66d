"""The desktop app, on the public API of `runtime`, `apu` and `bridge`. Nothing is here yet."""

__all__: list[str] = []
