"""Write plain values of a Liquid template fast: `{{ image.index }}`, a path of keys.

A page of twenty pictures has some two hundred of them, and Liquid's general way looks each up in
twenty steps: two thirds of a page's processor time. A loop of text, outputs and conditions without
an alternative is written in one go, and each value in it is looked up once a turn. Whatever is not
the plain case is left to Liquid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TextIO, TypeAlias

from liquid import RenderContext, Undefined
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import BooleanExpression
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.for_tag import ForLoop, ForNode, ForTag
from liquid.builtin.tags.if_tag import IfNode
from liquid.expression import Expression
from liquid.stream import TokenStream
from liquid.stringify import to_liquid_string
from liquid.token import Token
from markupsafe import escape

COMPUTED = frozenset({"size", "first", "last"})
"""Keys that Liquid computes where a value has none of the name."""
_MISSING = object()
_GENERAL = object()
"""Value that Liquid must look up itself."""

PlainPath: TypeAlias = tuple[str, ...]
Values: TypeAlias = list[tuple[object, str]]
"""Values of a block's paths, each with what Liquid writes of it."""


def plain_path(expression: Expression) -> PlainPath:
    """Return the names of a path that is found by keys alone; empty if it needs more than that."""
    path = expression.path if isinstance(expression, Path) else []
    names = tuple(str(part) for part in path if isinstance(part, str))
    return names if len(names) == len(path) > 1 else ()


def look_up(root: object, path: PlainPath) -> object:
    """Return the value at a plain path from its first name's, `_MISSING` if it has none.

    It is `_GENERAL` if keys alone do not lead to it.
    """
    value = root
    for key in path[1:]:
        # Exactly these types: anything else may have a way of its own.
        if type(value) is ForLoop or (type(value) is dict and key not in COMPUTED):
            value = value.get(key, _MISSING)
        else:
            return _GENERAL
    return value


def plain_text(value: object) -> str | None:
    """Return what Liquid writes of a value of a plain kind, None for any other kind."""
    if type(value) is str:
        return str(escape(value))
    if type(value) is int or type(value) is float:
        return str(value)
    if type(value) is bool:
        return "true" if value else "false"
    return "" if value is None or value is _MISSING else None


def _is_usual(context: RenderContext) -> bool:
    """Return whether values are escaped, and missing ones written as nothing."""
    return context.autoescape and context.env.undefined is Undefined


class PlainOutputNode(OutputNode):
    """Output of a value, found by keys alone if the expression has nothing else."""

    __slots__ = ("filters", "path")

    def __init__(self, token: Token, expression: Expression) -> None:
        """Keep the keys of a plain path, and the filters after it."""
        super().__init__(token, expression)
        self.path: PlainPath = ()
        self.filters: Sequence[Filter] = ()
        if isinstance(expression, FilteredExpression):
            self.path = plain_path(expression.left)
            self.filters = expression.filters or ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value as Liquid does."""
        if self.path and not self.filters and _is_usual(context):
            text = plain_text(look_up(context.scope.get(self.path[0]), self.path))
            if text is not None:
                return buffer.write(text)
        return super().render_to_output(context, buffer)


class PlainOutput(Output):
    """Tag of Liquid's outputs, whose plain ones are written fast."""

    node_class = PlainOutputNode


class Filtered(NamedTuple):
    """Output of the value at a place among a block's paths, through filters."""

    place: int
    node: PlainOutputNode

    def text(self, context: RenderContext, values: Values) -> str:
        """Return what Liquid writes."""
        value = values[self.place][0]
        if value is _MISSING:  # filters get Liquid's own object for it
            value = self.node.expression.evaluate(context)
        else:
            for each in self.node.filters:
                value = each.evaluate(value, context)
        return to_liquid_string(value, autoescape=True)


class Condition(NamedTuple):
    """Pieces that are written if a condition holds: the value at a place, or what Liquid says."""

    decided_by: int | BooleanExpression
    pieces: list[Piece]

    def text(self, context: RenderContext, values: Values) -> str:
        """Return what Liquid writes."""
        if isinstance(self.decided_by, int):
            value = values[self.decided_by][0]
            holds = not (value is None or value is False or value is _MISSING)
        else:
            holds = self.decided_by.evaluate(context)
        return write_pieces(self.pieces, context, values) if holds else ""


Piece: TypeAlias = str | int | Filtered | Condition
"""Text, the place of a value, or what has to be looked at."""


def write_pieces(pieces: list[Piece], context: RenderContext, values: Values) -> str:
    """Return the text of pieces, one after another."""
    return "".join(
        [
            each
            if type(each) is str
            else values[each][1]
            if type(each) is int
            else each.text(context, values)  # type: ignore[union-attr]  # what is left after both
            for each in pieces
        ]
    )


class PlainBlock(BlockNode):
    """Block of a loop in which nothing is but text, plain outputs and conditions."""

    __slots__ = ("paths", "pieces")

    def __init__(self, block: BlockNode) -> None:
        """Take the block apart; raises ValueError if it is none of these."""
        super().__init__(block.token, block.nodes)
        self.paths: dict[PlainPath, int] = {}
        self.pieces = self._pieces_of(block)

    def _pieces_of(self, block: BlockNode) -> list[Piece]:
        # One that writes nothing but space is left out by Liquid, whatever it holds.
        if block.blank:
            raise ValueError("a blank block")
        return [self._piece_of(node) for node in block.nodes]

    def _piece_of(self, node: Node) -> Piece:
        if type(node) is ContentNode:
            return node.text
        if type(node) is PlainOutputNode and node.path:
            place = self._place_of(node.path)
            return Filtered(place, node) if node.filters else place
        if type(node) is IfNode and not (node.alternatives or node.default):
            condition = node.condition
            if isinstance(condition, BooleanExpression):
                path = plain_path(condition.expression)
                decided_by = self._place_of(path) if path else condition
                return Condition(decided_by, self._pieces_of(node.consequence))
        raise ValueError("more than text, outputs and conditions")

    def _place_of(self, path: PlainPath) -> int:
        return self.paths.setdefault(path, len(self.paths))

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write what Liquid writes."""
        values = self._look_up(context) if _is_usual(context) else None
        if values is None:
            return super().render_to_output(context, buffer)
        return buffer.write(write_pieces(self.pieces, context, values))

    def _look_up(self, context: RenderContext) -> Values | None:
        """Return the values of all paths, or None if one of them is not of a plain kind."""
        roots: dict[str, object] = {}
        values = []
        for path in self.paths:
            name = path[0]
            if name not in roots:
                roots[name] = context.scope.get(name)
            value = look_up(roots[name], path)
            text = plain_text(value)
            if text is None:
                return None
            values.append((value, text))
        return values


class PlainFor(ForTag):
    """Tag of Liquid's loops, whose plain ones are written fast."""

    def parse(self, stream: TokenStream) -> Node:
        """Parse a loop as Liquid does."""
        node = super().parse(stream)
        if isinstance(node, ForNode):
            try:
                node.block = PlainBlock(node.block)
            except ValueError:  # the loop stays as it is
                return node
        return node


PLAIN_TAGS = PlainOutput, PlainFor
"""Tags that take the place of Liquid's own of the same name in an environment."""
