"""Listening studies: people compare music by ear.

A study is a plan (`plan.py`), clips of equal loudness (`clips.py`), and a page that plays them (`page/`).
`making.py` writes them together with a key (`key.py`), which says what each clip is and stays with its maker.
`server.py` collects what listeners answer, `results.py` reads it, `report.py` counts it with `statistics.py`,
and `report_page.py` shows it. Start at `making.py`.

Source: Donahue et al., "LakhNES: Improving multi-instrumental music generation with cross-domain
pre-training", ISMIR 2019, section 6: a Turing test and a preference test.
"""
