"""SQL expressions of recipes, of which only what is listed here passes: columns, values, comparisons, a few functions.

An expression that reached Spark unread could call into the JVM (`reflect`, `java_method`), read tables in subqueries or
hide behind comments. So it is parsed by Spark's own parser, and every node of the tree is looked up in lists.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from conf.errors import RecipeError

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

MAX_LENGTH = 2000
MAX_NODES = 500
NODES = frozenset({
    "UnresolvedAttribute", "Literal", "And", "Or", "Not", "EqualTo", "EqualNullSafe", "LessThan", "LessThanOrEqual",
    "GreaterThan", "GreaterThanOrEqual", "In", "IsNull", "IsNotNull", "Add", "Subtract", "Multiply", "Divide",
    "Remainder", "UnaryMinus", "UnaryPositive", "CaseWhen", "If", "Like", "Cast", "UnresolvedFunction", "Between",
})  # fmt: skip
FUNCTIONS = frozenset({
    "abs", "between", "ceil", "coalesce", "concat", "date_add", "date_sub", "datediff", "day", "dayofweek", "exp",
    "floor", "greatest", "if", "ifnull", "isnan", "isnotnull", "isnull", "least", "length", "ln", "log10", "lower",
    "mod", "month", "months_between", "nullif", "pow", "power", "round", "sign", "sqrt", "substring", "trim",
    "try_divide", "upper", "year",
})  # fmt: skip
_HIDING = (";", "--", "/*", "\0")


def expression(spark: SparkSession, text: str, columns: Sequence[str], where: str) -> Column:
    """The expression as a column. Raises RecipeError for one that is not allowed or cannot be read."""
    from pyspark.sql import functions as F

    check_text(text, where)
    try:
        tree = spark._jsparkSession.sessionState().sqlParser().parseExpression(text)  # type: ignore[attr-defined]
    except Exception as error:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RecipeError(f"{where}: {text!r} is no SQL expression: {said[:300]}") from error
    _check_tree(tree, columns, where)
    return F.expr(text)


def check_text(text: str, where: str) -> None:
    """Raise RecipeError for what is seen without parsing: its length, `;`, comments."""
    if len(text) > MAX_LENGTH:
        raise RecipeError(f"{where}: the expression has {len(text):,} characters; at most {MAX_LENGTH:,} are read.")
    for mark in _HIDING:
        if mark in text:
            raise RecipeError(f"{where}: {mark!r} may not stand in an expression; one comparison over columns may.")


def _check_tree(tree: Any, columns: Sequence[str], where: str) -> None:
    """Raise RecipeError for a node that is not listed, a function that is not, or a column that is not declared."""
    waiting, seen = [tree], 0
    while waiting:
        node, seen = waiting.pop(), seen + 1
        kind = node.getClass().getSimpleName()
        if kind not in NODES:
            raise RecipeError(f"{where}: {kind} may not stand in an expression; comparisons of columns and values may.")
        if seen > MAX_NODES:
            raise RecipeError(f"{where}: the expression has more than {MAX_NODES} parts.")
        if kind == "UnresolvedFunction":
            _check_function(str(node.nameParts().mkString(".")).lower(), where)
        if kind == "UnresolvedAttribute":
            _check_column(str(node.nameParts().mkString(".")), columns, where)
        children = node.children()
        waiting += [children.apply(place) for place in range(children.size())]


def _check_function(name: str, where: str) -> None:
    if name not in FUNCTIONS:
        raise RecipeError(f"{where}: the function {name} may not be called; these may: {', '.join(sorted(FUNCTIONS))}.")


def _check_column(name: str, columns: Sequence[str], where: str) -> None:
    if name not in columns:
        near = difflib.get_close_matches(name, columns, 1)
        hint = f" The nearest is {near[0]}." if near else ""
        raise RecipeError(f"{where}: {name} is not among the columns.{hint}")
