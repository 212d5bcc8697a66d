"""Names in MIDI files, in whatever encoding their program wrote them."""

# ruff: noqa: RUF001 (letters of other alphabets are meant)
from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from lakhnes.runtime.printable import printable

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_CONTROLS = frozenset(range(32)) - frozenset(b"\0\t\n\r")
_KANA_PAGE = 0x30  # of Unicode; the only alphabet whose UTF-16 has neither zeros nor controls

_KANA, _HALF_KANA = "ぁ-んァ-ヶー", "ｦ-ﾟ"


class _Writing(NamedTuple):
    """What texts of an encoding look like."""

    encoding: str
    usual: re.Pattern[str]
    """A character that is frequent in names of tracks."""
    letter: re.Pattern[str]
    """Any character of the language."""
    words: re.Pattern[str]
    """Musical words, which settle it."""


def _writing(encoding: str, usual: str, letter: str, words: str) -> _Writing:
    return _Writing(encoding, re.compile(f"[{usual}]"), re.compile(f"[{letter}]"), re.compile(words))


_JAPANESE = (
    f"{_KANA}歌声主旋律和音伴奏弦楽器打鍵盤低高右左手第一二三曲",
    f"{_KANA}{_HALF_KANA}一-龥々",
    "メロデ|ベース|ドラム|ピアノ|ギター|ストリング|ボーカル|リード|コード|パーカッション|シンセ|オルガン|ブラス|コーラス|"
    "フルート|トランペット|バイオリン|歌|旋律|伴奏|低音",
)
_CHINESE = (
    "主旋律和声合唱伴奏音轨軌鼓贝貝斯吉他钢鋼琴弦絃乐樂低中高大小提笛箫古筝二胡人打击擊第一三左右手",
    "一-龥",
    "旋律|贝斯|貝斯|吉他|钢琴|鋼琴|弦乐|弦樂|和弦|低音|人声|人聲|伴奏|打击|打擊|小提琴|长笛|長笛|琵琶|鼓",
)
_KOREAN = (
    "이가다스트리드기타피아노보베음악대소선고장수주현관금바올린플루컬럼랙곡일제인로코멜디",
    "가-힣一-龥",
    "멜로디|베이스|드럼|피아노|기타|보컬|코드|현악",
)
_RUSSIAN = (
    "оеаинтсрвлкмдОЕАИНТСРВЛКМД",
    "а-яА-ЯёЁ",
    "мелод|бас|удар|гитар|скрип|флейт|вокал|голос|пиан|рояль|клав|соло|барабан|орган|струн|хор|аккорд|труб|"
    "сопран|тенор",
)
_GREEK = (
    "αοιετσνηυρπκμλάέήίόύώςΑΟΙΕΤΣΝΗΥΡΠΚΜΛ",
    "α-ωΑ-Ωά-ώΆΈΉΊΌΎΏϊϋΐΰς",
    "μελωδ|μπασο|μπάσο|κιθαρ|κιθάρ|ντραμ|πιάνο|πιανο|φων",
)
_WESTERN = (
    "éèêëàâäáãåæçïîíñöôóòõøüûúùßÉÈÀÄÁÅÇÖÓØÜÚœ’“”–",
    "À-ÖØ-öø-ÿœŒ’“”–",
    "mélod|flûte|flöte|hörner|bässe|baß|électr|écho|chœur|percusión|batería|violín|violão|percussão|söng",
)
_CENTRAL = (
    "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽőűŐŰ",
    "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽőűŐŰäöüÄÖÜßâăîşţș’“”–",
    "zpěv|śpiew|klavír|bicí|housl|smyčc|flétn|trubk|sólo|hlavní|skrzyp|gitara prow|wiodąc|fortepian|chór|"
    "ének|hegedű|basszusgitár|szóló|zongora|dobo|vokál",
)
_ESCAPES = (b"\x1b$B", b"\x1b$@")  # of ISO-2022-JP, where Japanese begins

_WRITINGS = (
    _writing("cp1252", *_WESTERN),
    _writing("cp932", *_JAPANESE),
    _writing("gbk", *_CHINESE),
    _writing("euc_jp", *_JAPANESE),
    _writing("big5", *_CHINESE),
    _writing("cp949", *_KOREAN),
    _writing("cp1251", *_RUSSIAN),
    _writing("koi8_r", *_RUSSIAN),
    _writing("cp1253", *_GREEK),
    _writing("cp1250", *_CENTRAL),
    _writing("cp850", *_WESTERN),
    _writing("mac_roman", *_WESTERN),
    _writing("cp866", *_RUSSIAN),
)
"""Of two in which names look as likely the first counts."""
_WESTERN_ENCODING = "cp1252"
_LATIN = (_WESTERN_ENCODING, "cp1250", "cp850", "mac_roman")
"""Encodings whose letters stand among plain ones."""


def decoded_names(contents: Sequence[bytes]) -> list[str]:
    """Return the texts of the names of a file, each on one line and without control characters.

    The file format asks for ASCII; programs write anything, and do not say what. What is neither UTF-8 nor
    UTF-16 is in one encoding for the whole file: that in which it looks most like a language and like names
    of tracks. It may be Shift-JIS, EUC-JP, ISO-2022-JP, GBK, Big5, of Korea (CP949), of Russia (CP1251,
    KOI8-R, CP866), of Greece (CP1253), of Central Europe (CP1250) or of the West (CP1252, CP850, Mac Roman).

    Args:
        contents: bytes of every name.
    """
    known = [_unicode(content) for content in contents]
    unknown = [content for content, text in zip(contents, known, strict=True) if text is None]
    encoding = _likeliest(unknown) if unknown else "ascii"
    texts = (
        content.decode(encoding, "replace") if text is None else text
        for content, text in zip(contents, known, strict=True)
    )
    return [printable(" ".join(text.replace("\0", "").split())) for text in texts]


def _unicode(content: bytes) -> str | None:
    """The text of a name that is in UTF-8, UTF-16 or ISO-2022-JP, which is as good as certain; else None."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    if any(escape in content for escape in _ESCAPES):
        return content.decode("iso2022_jp", "replace")
    if 0 in content.rstrip(b"\0") and len(content) % 2 == 0:
        big = content[::2].count(0) > content[1::2].count(0)
        return content.decode("utf-16-be" if big else "utf-16-le", "replace")
    for encoding, page in (("utf-16-be", set(content[::2])), ("utf-16-le", set(content[1::2]))):
        of_one_page = len(page) == 1 and len(content) >= 6 and len(content) % 2 == 0
        if of_one_page and page <= {_KANA_PAGE, *_CONTROLS}:
            text = content.decode(encoding, "replace")
            if text.isprintable() and not text.isascii():
                return text
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _likeliest(contents: Sequence[bytes]) -> str:
    """The encoding in which names look most like what people write."""
    best, most = _WESTERN_ENCODING, float("-inf")
    for writing in _WRITINGS:
        try:
            texts = [content.decode(writing.encoding) for content in contents]
        except UnicodeDecodeError:
            continue
        worth = _worth("\n".join(texts), writing)
        if worth > most:
            best, most = writing.encoding, worth
    return best


def _worth(text: str, writing: _Writing) -> float:
    """How much a text looks like one: the mean of its characters beyond ASCII, more with musical words.

    Letters of languages that are not written in Latin ones touch no small plain one.
    """
    worth = []
    for place, letter in enumerate(text):
        if letter.isascii():
            continue
        before, after = text[max(0, place - 2) : place], text[place + 1 : place + 3]
        if writing.encoding in _LATIN:
            fits = _fits_latin(before, letter, after)
        else:
            fits = not any("a" <= other <= "z" for other in before[-1:] + after[:1])
        if not fits or not writing.letter.match(letter):
            worth.append(-1.0)
        else:
            worth.append(2.0 if writing.usual.match(letter) else 1.0)
    words = len(writing.words.findall(unicodedata.normalize("NFKC", text).lower()))
    return sum(worth) / max(1, len(worth)) + 2 * min(words, 3)


def _fits_latin(before: str, letter: str, after: str) -> bool:
    """Whether a letter or mark is where Latin ones are, by the two before and after it.

    It is near plain letters, or alone; no capital follows a small letter, and no quotation mark is in a word.
    """
    if before[-1:].isalpha() and (
        (letter.isupper() and before[-1:].islower()) or (letter in "“”" and after[:1].isalpha())
    ):
        return False
    return _has_plain(before + after) or not (before[-1:] + after[:1]).strip()


def _has_plain(letters: str) -> bool:
    return any(letter.isascii() and letter.isalpha() for letter in letters)
