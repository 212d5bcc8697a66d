"""Output of `lakhnes evaluate`."""

from __future__ import annotations

from typing import Any

from lakhnes.cli.printing import say


def print_perplexity(facts: dict[str, Any]) -> None:
    """Print the quality of the predictions."""
    skipped = [f"{facts['short_songs']} too short"] if facts["short_songs"] else []
    skipped += [f"{len(facts['skipped'])} files that cannot be read"] if facts["skipped"] else []
    left_out = f"; left out: {', '.join(skipped)}" if skipped else ""
    say(f"model   {facts['model']} ({facts['how']})")
    minutes = facts["seconds"] / 60
    say(
        f"data    {facts['split']}, timing {facts['timing']}: {facts['songs']} songs, "
        f"{facts['tokens']:,} tokens in {facts['streams']} streams, {minutes:.1f} minutes{left_out}"
    )
    say(f"loss    {facts['loss']:.5f} nats a token, perplexity {facts['ppl']:.5f}")
    if facts["nats_per_second"] is not None:
        say(f"        {facts['nats_per_second']:.3f} nats a second of music")


def print_composed(facts: dict[str, Any]) -> None:
    """Print a summary of the composed songs."""
    first, last = facts["seeds"]
    cuts = [f"temperature {facts['temperature']:g}"]
    cuts += [f"{facts['bpm']:g} BPM"] if facts["bpm"] else []
    for name, key in (("top-k", "top_k"), ("top-p", "top_p"), ("surprise", "surprise")):
        cuts += [f"{name} {facts[key]:g}"] if facts[key] else []
    say(
        f"songs   {facts['songs']} composed, seeds {first} to {last}, "
        f"up to {facts['longest_seconds']:.0f} s, {', '.join(cuts)}"
    )


def print_found(facts: dict[str, Any]) -> None:
    """Print a summary of the composed songs that were found."""
    left_out = f"; left out: {len(facts['skipped'])} files that cannot be read" if facts["skipped"] else ""
    say(
        f"songs   {facts['songs']} of {facts['from']}, "
        f"compared at {facts['compared_seconds']:.0f} s{left_out}"
    )


_MOST_TOLD_APART = 12


def print_comparison(facts: dict[str, Any]) -> None:
    """Print the comparison with human songs: classifier, structure, similarity by distance."""
    say(
        f"a classifier of {facts['composed_songs']} composed songs and {facts['human_songs']} of people, "
        f"from {facts['games']} games; AUC 0.5 if it cannot tell them apart"
    )
    for key, name in (
        ("every", "all features"),
        ("open", "open half, to choose by"),
        ("held", "held half, to judge by"),
        ("among_humans", "people's songs, by halves"),
    ):
        if facts[key]:
            say(f"  {name:38} {facts[key]['value']:8.3f} ±{facts[key]['error']:.3f}")
    say("what tells them apart most, of the open half")
    say(f"  {'':38} {'AUC':>8} {'composed':>16} {'people':>16}")
    for row in facts["told_apart"][:_MOST_TOLD_APART]:
        say(f"  {row['name']:38} {row['area']['value']:8.3f} {_sides(row)}")
    say("structure and surface, means of songs")
    say(f"  {'':38} {'composed':>16} {'people':>16}")
    for row in facts["structure"]:
        say(f"  {row['name']:38} {_sides(row)}")
    say("similarity of bars by distance")
    for row in facts["similarity"]:
        say(f"  {row['name']:38} {_sides(row)}")
    if facts["similarity_difference"] is not None:
        say(f"  {'mean difference':38} {facts['similarity_difference']:8.3f}")


def _sides(row: dict[str, Any]) -> str:
    """Return a figure of both sets, with its standard errors."""
    return " ".join(_side(row[key]) for key in ("composed", "human")).rstrip()


def _side(facts: dict[str, float | None]) -> str:
    if facts["mean"] is None:
        return f"{'none':>9}" + " " * 7
    error = "" if facts["error"] is None else f"±{facts['error']:.3f}"
    return f"{facts['mean']:9.3f} {error:6}"


def print_statistics(facts: dict[str, Any]) -> None:
    """Print the musical statistics as a table."""
    say(
        f"overlap with {facts['data_songs']} songs of people; "
        "the ceiling is what these share among each other"
    )
    say(f"  {'':22} {'overlap':>8} {'ceiling':>8} {'model':>8} {'data':>8}")
    for row in facts["features"]:
        means = [
            f"{mean:8.2f}" if mean is not None else " " * 8 for mean in (row["model_mean"], row["data_mean"])
        ]
        line = f"  {row['name']:22} {row['overlap']:8.3f} {row['ceiling']:8.3f} {' '.join(means)}"
        say(line.rstrip())
    say(f"  {'mean':22} {facts['mean_overlap']:8.3f} {facts['mean_ceiling']:8.3f}")


def print_arrangements(tasks: list[dict[str, Any]]) -> None:
    """Print the figures of arrangements as a table, each with that of human music."""
    columns = (
        "notes_per_second",
        "phase",
        "dissonance",
        "pitch_class_cosine",
        "motifs",
        "seam_interval",
        "seam_density",
    )
    names = (
        "notes a second",
        "phase",
        "dissonance",
        "pitch classes",
        "motifs",
        "seam, semitones",
        "seam, notes",
    )
    say("arranged songs: medians of what was composed, and of what people wrote there in brackets")
    say(f"  {'':12}" + "".join(f"{name:>18}" for name in names))
    for task in tasks:
        cells = []
        for column in columns:
            mine, own = task["composed"][column], task["human"][column]
            cells.append("" if mine is None or own is None else f"{mine:.2f} ({own:.2f})")
        failed = f"  {task['failed']} of {task['songs']} failed" if task["failed"] else ""
        say((f"  {task['name']:12}" + "".join(f"{cell:>18}" for cell in cells) + failed).rstrip())


def print_kept_use(rows: list[dict[str, Any]]) -> None:
    """Print how much given voices help a model to predict the others."""
    if rows:
        say("nats a note of free voices beside the song's own given voices, and beside another song's")
    for row in rows:
        say(
            f"  {row['keep']:12} {row['own']:8.3f} {row['other']:8.3f}   gain {row['gain']:.3f} "
            f"+- {row['error']:.3f} on {row['songs']} songs"
        )


def print_memorisation(facts: dict[str, Any]) -> None:
    """Print the longest runs as a table."""
    say(f"longest runs of intervals and durations also found in {facts['train_songs']} training songs")
    say(f"  {'':22} {'median':>8} {'90 %':>8} {'longest':>8}")
    for name, label in (("composed", "composed songs"), ("data", "the split's songs")):
        row = facts[name]
        say(f"  {label:22} {row['median']:8.1f} {row['ninth_decile']:8.1f} {row['longest']:8d}")
    for name, label in (("composed", "composed"), ("data", "of the split")):
        row = facts[name]
        if row["longest_in"]:
            whose = f"{label}, seed {row['longest_seed']}" if "longest_seed" in row else label
            say(
                f"  the longest {whose}: {row['longest']} steps, {row['longest_different']} of them "
                f"different, as in {row['longest_in']}"
            )
