"""HTML in texts: tags, comments and entities go, what is shown stays.

The text is read once, in time that goes with its length whatever stands in it. It is not read with `html.parser`:
that is slow on hostile markup, what it makes of broken tags differs between versions of Python, and it eats what is
no HTML (`x <y and z> w`). What is given up: an attribute that holds a `<` is not understood.
"""

from __future__ import annotations

import html
import re

from udfs.text.repair import changed
from udfs.text.values import Texts

REVISION = 1

_BLOCK_NAMES = (
    "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form frameset h1 h2 h3 h4 h5 h6 head header hr html legend li main menu nav ol optgroup option p "
    "pre section summary table tbody tfoot thead title tr ul"
)
_CELLS = frozenset(("td", "th"))
_HIDDEN = frozenset(("script", "style"))
_INLINE_NAMES = (
    "a abbr acronym applet area audio b base basefont bdi bdo big blink button canvas cite code col colgroup data "
    "datalist del dfn em embed font frame g i iframe img input ins kbd label link map mark marquee meta meter nobr "
    "noframes noscript object output param path picture progress q rp rt ruby s samp select slot small source span "
    "strike strong sub sup svg template textarea time track tt u var video wbr"
)
_BLOCKS, _INLINE = frozenset(_BLOCK_NAMES.split()), frozenset(_INLINE_NAMES.split())

# no part of a tag goes past the next "<", so all looks together see a character a few times at most
_MARKUP = re.compile(
    r"""</?(?P<name>[a-z][a-z0-9]*+)(?=[\s/>])(?:(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>|[^<>]*+>)"""
    r"|(?P<comment><!--)|<!doctype\b[^<>]*+>|<\?xml\b[^<>]*+>|<!\[CDATA\[|\]\]>|<!\[[^<>\[\]]*+\]>",
    re.IGNORECASE,
)
_ENDS = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style")}
_COMPARISON = re.compile(r"</?[a-z]\s[^=]*[^=\s/][^=]*>", re.IGNORECASE)  # `a <b and c> d`
_COMMENT_END = re.compile("-->")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)


def strip_html(texts: Texts) -> Texts:
    """Take out tags, comments, scripts and styles, and put characters for entities; blocks end lines.

    What only looks like a tag stays (`a < b`, `<3`, `<email>`): a tag has a name of HTML. Entities need their `;`.
    """
    return changed(texts, _without_html)


def _without_html(text: str) -> str:
    bare = _without_tags(text) if "<" in text or "]]>" in text else text
    return _ENTITY.sub(lambda found: html.unescape(found.group()), bare) if "&" in bare else bare


def _without_tags(text: str) -> str:
    parts, begin, unclosed = list[str](), 0, set[re.Pattern[str]]()
    while found := _MARKUP.search(text, begin):
        name = "!--" if found["comment"] else (found["name"] or "").lower()
        parts.append(text[begin : found.start()])
        parts.append(_left_of(name, found.group()))
        begin = found.end()
        closing = _closing(name, found.group())
        if closing and closing not in unclosed:  # what has no end now has none further on
            end = closing.search(text, begin)
            begin = end.end() if end else begin
            unclosed |= set() if end else {closing}
    return "".join([*parts, text[begin:]])


def _left_of(name: str, markup: str) -> str:
    """What is put for markup: a line end, a space, nothing, or itself where it is no HTML."""
    if _COMPARISON.fullmatch(markup):
        return markup
    if name in _BLOCKS:
        return "\n"
    if name in _CELLS:
        return " "
    return "" if not name or name == "!--" or name in _INLINE or name in _HIDDEN else markup


def _closing(name: str, markup: str) -> re.Pattern[str] | None:
    """What ends the part that is not shown, where markup begins one."""
    if name == "!--":
        return _COMMENT_END
    return _ENDS[name] if name in _HIDDEN and markup[1] != "/" and not markup.endswith("/>") else None
