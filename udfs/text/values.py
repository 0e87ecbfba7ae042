"""What steps of texts take and give.

Texts are a list of str, null where a row has none. Steps give a new list of the same length, null for null, and never
an empty text for one that was not: where a step would leave nothing, the text stays as it was. What a step cannot
handle stays as it is too.
"""

from __future__ import annotations

from typing import TypeAlias

Texts: TypeAlias = list[str | None]
Reasons: TypeAlias = list[str | None]
