"""Repairs of texts: encodings, Unicode forms, control characters, white space. None of them draws.

A repair may leave an empty text, which `reject_empty` then refuses. Each takes time in proportion to the text's
length, whatever stands in it.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Literal

from udfs.text.values import Texts

REVISION = 1

Form = Literal["NFC", "NFKC"]

_MARKS_AT_ONCE = 256  # combining marks in a row that are put in order together: the time goes with their square


def changed(texts: Texts, change: Callable[[str], str]) -> Texts:
    """Each text changed; null for null."""
    return [None if text is None else change(text) for text in texts]


# --- encodings ---

MIXED = "utf-8, windows-1252"
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_STRAY_BYTES = {0xDC00 + byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0x100)}


def decoded(raw: bytes, encoding: str | None = None) -> str:
    """Read bytes as `encoding_of` says, without the mark of byte order; no bytes raise."""
    found = encoding_of(raw, encoding)
    if found == MIXED:  # lone surrogates stand for the bytes that are no UTF-8
        text = raw.decode("utf-8", "surrogateescape").translate(_STRAY_BYTES)
    else:
        text = raw.decode(found, "replace" if found in _BYTE_ORDER_MARKS.values() else "strict")
    return text.removeprefix("\ufeff")


def encoding_of(raw: bytes, encoding: str | None = None) -> str:
    """The declared encoding where all bytes are of it, else what the mark of byte order says, else UTF-8.

    Else `MIXED`: UTF-8 where bytes are that, Windows-1252 where they are not.
    """
    if encoding is not None and _is_of(raw, encoding):
        return encoding
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if raw.startswith(mark)), None)
    if marked and (marked != "utf-8-sig" or _is_of(raw, marked)):
        return marked
    return "utf-8" if _is_of(raw, "utf-8") else MIXED


def _is_of(raw: bytes, encoding: str) -> bool:
    """Whether bytes decode without a fault; an encoding that is not known is none."""
    try:
        raw.decode(encoding)
    except (LookupError, ValueError):
        return False
    return True


def fix_encoding(texts: Texts) -> Texts:
    """Mend text that was decoded as another encoding than its own, such as `donâ€™t` (ftfy)."""
    return changed(texts, lambda text: text if text.isascii() else _fixer()(text))


@functools.cache
def _fixer() -> Callable[[str], str]:
    """ftfy with nothing but its encodings: it goes by lines, a million characters of one at most."""
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
    return functools.partial(ftfy.fix_text, config=config)


# --- Unicode forms ---


def unicode_form(texts: Texts, *, form: Form = "NFKC") -> Texts:
    """Bring equal characters to one form; NFKC also makes full-width letters, ligatures and odd spaces plain."""
    return changed(texts, lambda text: in_form(text, form))


def in_form(text: str, form: Form) -> str:
    """One text in a Unicode form; more combining marks in a row than writing knows are taken in pieces."""
    if len(text) <= _MARKS_AT_ONCE or text.isascii():
        return unicodedata.normalize(form, text)
    ends = [found.end() for found in _marks().finditer(text)]
    pieces = (text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True))
    return "".join(unicodedata.normalize(form, piece) for piece in pieces)


@functools.cache
def _marks() -> re.Pattern[str]:
    """As many combining marks as are put in order together."""
    marks = "".join(mark for mark in map(chr, range(0x300, sys.maxunicode + 1)) if unicodedata.combining(mark))
    return re.compile(f"[{marks}]{{{_MARKS_AT_ONCE}}}")


# --- control characters and white space ---

_LINE_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_JOINING_SCRIPTS = "\u0600-\u08ff\u0900-\u109f\u1780-\u18af"  # Arabic, Syriac, those of India, Khmer, Mongolian
_PICTURES = "\u203c-\u3299\U0001f000-\U0001faff"
_INVISIBLE = re.compile(
    f"((?<=[{_PICTURES}\ufe0f])\u200d(?=[{_PICTURES}])"  # joins pictures to one
    f"|(?<=[{_JOINING_SCRIPTS}])[\u200c\u200d](?=[{_JOINING_SCRIPTS}])"  # shapes letters
    "|\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f)"  # flag of a region
    "|[\0-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]+"
)


def strip_control(texts: Texts) -> Texts:
    """Take out what cannot be seen: control characters, zero width, marks of direction and byte order.

    Tabs and line ends stay, and odd ones (form feed, U+2028) become line ends. Joiners stay where they shape: within
    emoji, and between letters of scripts that join. Surrogates become the character that they stand for, or go.
    """
    return changed(texts, _without_control)


def _without_control(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    if _SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _INVISIBLE.sub(r"\1", _LINE_ENDS.sub("\n", text))


def collapse_whitespace(texts: Texts, *, keep_lines: Literal[True, False] = False) -> Texts:
    """Make one space of each run of white space, none at the ends; lines can stay, with one empty line at most."""
    if not keep_lines:
        return changed(texts, lambda text: " ".join(text.split()))
    return changed(texts, lambda text: _EMPTY_LINES.sub("\n\n", _by_lines(text)).strip())


_EMPTY_LINES = re.compile(r"\n{3,}")


def _by_lines(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.splitlines())
