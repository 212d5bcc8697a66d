"""A song and what is done to it, without a window: files of every kind, live stages, the app's session.

It joins `runtime`, `bridge` and `apu`; the command line and the desktop app are its users.
"""
