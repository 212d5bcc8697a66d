"""The record of how a piece was made: into a text and back, and texts that are none."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.runtime import FormatError, Kind, Provenance, Score, Voice, notes_sha256
from lakhnes.runtime.provenance import FORMAT, MOST_CHARACTERS, Setting, record_in

SHA256 = "0123456789abcdef" * 4
RECORD = Provenance("generate", "1.0", "nes-bars", SHA256, 7, {"bars": 4, "loop": True}, notes=SHA256)

words = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=40)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
values: st.SearchStrategy[Setting] = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    words,
    st.lists(words, max_size=4).map(tuple),
)
records = st.builds(
    Provenance,
    task=words.filter(bool),
    lakhnes=words,
    model=words,
    model_sha256=hashes | st.just(""),
    seed=st.none() | st.integers(0, 1 << 80),
    settings=st.dictionaries(
        st.from_regex("[a-z][a-z0-9]{0,9}(-[a-z]{1,9})?", fullmatch=True), values, max_size=8
    ),
    piece=words,
    kept=st.lists(hashes, max_size=2).map(tuple),
    edits=st.integers(0, 1 << 40),
    notes=hashes | st.just(""),
    converted=st.booleans(),
)


@given(records)
def test_its_text_reads_back_as_it_was(record: Provenance) -> None:
    text = record.to_text()
    assert Provenance.from_text(text, "song.mid") == record
    assert Provenance.from_text(text, "song.mid").to_text() == text
    assert record_in(text) == text


def test_its_text_is_one_line_of_sorted_json() -> None:
    text = RECORD.to_text()
    plain = json.loads(text)
    assert list(plain) == sorted(plain)
    assert (plain["format"], plain["version"]) == (FORMAT, 1)
    assert text.isascii()
    assert "\n" not in text
    assert "edits" not in plain, "fields at their defaults are left out"


def test_it_is_found_among_other_lines() -> None:
    text = RECORD.to_text()
    assert record_in(f"Thanks for listening\n{text}\n{{}}") == text
    assert not record_in(f'A text about "{FORMAT}"')


def test_fields_of_later_programs_are_ignored() -> None:
    plain = {**json.loads(RECORD.to_text()), "mood": ["calm", {"deep": 1}]}
    assert Provenance.from_text(json.dumps(plain), "song.mid") == RECORD


def with_(**fields: object) -> str:
    return json.dumps({**json.loads(RECORD.to_text()), **fields})


DAMAGED = {
    "no JSON": "{" + FORMAT,
    "another JSON": "[]",
    "another format": with_(format="midi"),
    "10 MB": with_(settings={"chords": "C " * 5_000_000}),
    "deep": "[" * 9_000,
    "no number": RECORD.to_text().replace('"seed":7', '"seed":NaN'),
    "a version of words": with_(version="1"),
    "a version below": with_(version=0),
    "no task": with_(task=""),
    "no version of lakhnes": RECORD.to_text().replace('"lakhnes":', '"program":'),
    "a task of numbers": with_(task=3),
    "control characters": with_(model="nes\x1b[2J"),
    "a turned direction": with_(task="generate\u202e"),
    "half a character": with_(model="\ud800"),
    "a long name": with_(model="x" * 1000),
    "no hash": with_(model_sha256="../../etc/passwd"),
    "a hash in capitals": with_(notes=SHA256.upper()),
    "a negative seed": with_(seed=-1),
    "a seed that is true": with_(seed=True),
    "half an edit": with_(edits=0.5),
    "settings in a list": with_(settings=["--bars"]),
    "an option with dashes": with_(settings={"--output": "x"}),
    "a setting in an object": with_(settings={"bars": {"x": 1}}),
    "a setting that is nothing": with_(settings={"bars": None}),
    "control characters in a setting": with_(settings={"scale": "a\x07"}),
    "numbers in a list": with_(settings={"range": [1]}),
    "too many settings": with_(settings={f"a{n}": 1 for n in range(100)}),
    "kept by name": with_(kept=["my song.mid"]),
    "kept that is no list": with_(kept=SHA256),
    "converted by a word": with_(converted="yes"),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_gives_one_clear_sentence(text: str) -> None:
    with pytest.raises(FormatError, match=r"^The record in song\.mid: it cannot be read \(") as raised:
        Provenance.from_text(text, "song.mid")
    assert str(raised.value).isprintable()
    assert str(raised.value).endswith("The music itself can be read.")


def test_a_newer_record_asks_for_an_update() -> None:
    with pytest.raises(FormatError, match=r"newer lakhnes \(record version 2\); update"):
        Provenance.from_text(with_(version=2), "song.mid")


def test_the_longest_text_is_read() -> None:
    room = MOST_CHARACTERS - len(with_(settings={"chords": ""}))
    text = with_(settings={"chords": "C" * room})
    assert len(Provenance.from_text(text, "song.mid").settings["chords"]) == room  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="more than"):
        Provenance.from_text(text + " ", "song.mid")


@given(scores(), scores())
def test_notes_have_a_hash_of_their_own(one: Score, other: Score) -> None:
    assert (notes_sha256(one) == notes_sha256(other)) is (one == other)


def test_every_part_of_a_note_counts() -> None:
    song = tune()
    (first, *notes), part = song.parts[Voice.P1].notes, song.parts[Voice.P1]
    others = [replace(first, **{name: getattr(first, name) - 1}) for name in ("length", "pitch", "velocity")]
    songs = [song.with_parts({Voice.P1: replace(part, notes=(note, *notes))}) for note in others]
    changes = tuple(each for each in part.changes if each.kind is not Kind.TIMBRE)
    songs += [song.with_parts({Voice.P1: replace(part, changes=changes)}), song.lengthened(song.length + 1)]
    assert len({notes_sha256(each) for each in (song, *songs)}) == len(songs) + 1
