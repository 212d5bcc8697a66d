"""An X server without a screen, for programs that are used from outside, as with mouse and keys."""

import subprocess
import time


class Screen:
    """An X server without a screen, and hands to use it."""

    def __init__(self, size: str = "1400x900") -> None:
        self._size = size

    def __enter__(self) -> "Screen":
        self._process = subprocess.Popen(
            # Without -noreset it begins anew when its last client goes, and refuses whoever comes then.
            ["Xvfb", "-displayfd", "1", "-noreset", "-screen", "0", f"{self._size}x24"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.name = f":{self._process.stdout.readline().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def tool(self, *arguments: str) -> str:
        """Runs xdotool here; what it prints."""
        command = ["xdotool", *arguments]
        done = subprocess.run(
            command, env={"DISPLAY": self.name}, capture_output=True, text=True, check=False
        )
        return done.stdout

    def window(self, title: str, seconds: float = 120.0, pause: float = 0.05) -> str:
        """The window of a title, once it is seen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.tool("search", "--onlyvisible", "--name", title).split()
            if found:
                return found[0]
            time.sleep(pause)
        raise AssertionError(f"no window {title!r}")
