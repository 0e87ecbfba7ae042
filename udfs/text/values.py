"""What steps of texts take and give.

Texts are a list of str, null where a row has none. Steps give a new list of the same length, null for null. Random and
mixing steps never give an empty text for one that was not: where one would leave nothing, the text stays as it was, as
does what it cannot handle. A repair may leave nothing, which `reject_empty` then refuses.
"""

from __future__ import annotations

from typing import TypeAlias

Texts: TypeAlias = list[str | None]
Reasons: TypeAlias = list[str | None]
