"""Write plain values of a Liquid template fast: `{{ image.index }}`, a path without filters.

A page of twenty pictures has some two hundred of them, and Liquid's general way looks each up in
twenty steps: two thirds of a page's processor time. Whatever is not the plain case is left to it.
"""

from __future__ import annotations

from typing import TextIO

from liquid import RenderContext, Undefined
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.for_tag import ForLoop
from liquid.expression import Expression
from liquid.token import Token
from markupsafe import escape

COMPUTED = frozenset({"size", "first", "last"})
"""Keys that Liquid computes where a value has none of the name."""
_MISSING = object()


class PlainOutputNode(OutputNode):
    """Output of a value, found by keys alone if the expression has nothing else."""

    __slots__ = ("keys", "root")

    def __init__(self, token: Token, expression: Expression) -> None:
        """Keep the keys of a plain path."""
        super().__init__(token, expression)
        self.root = ""
        self.keys: tuple[str, ...] = ()
        if isinstance(expression, FilteredExpression) and not expression.filters:
            path = expression.left.path if isinstance(expression.left, Path) else []
            names = tuple(str(part) for part in path if isinstance(part, str))
            if len(names) == len(path) > 1 and not COMPUTED & {*names}:
                self.root, self.keys = names[0], names[1:]

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value as Liquid does."""
        if self.root and context.autoescape:
            value: object = context.scope.get(self.root)
            for key in self.keys:
                # Exactly these types: anything else may have a way of its own.
                if type(value) is dict or type(value) is ForLoop:
                    value = value.get(key, _MISSING)
                else:
                    value = context
            if type(value) is str:
                return buffer.write(escape(value))
            if type(value) is int:
                return buffer.write(str(value))
            if value is _MISSING and context.env.undefined is Undefined:
                return 0
        return super().render_to_output(context, buffer)


class PlainOutput(Output):
    """Tag of Liquid's outputs, whose plain ones are written fast."""

    node_class = PlainOutputNode
