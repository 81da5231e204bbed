"""Plain outputs: as Liquid writes them, whatever the value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid import Environment
from markupsafe import Markup

from tessera.tiling.plain_output import PlainOutput

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.text().map(Markup)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "size", "first"]), inner, max_size=3),
    ),
    max_leaves=8,
)
TEMPLATE = """{{ x.a }}|{{ x.a.b }}|{{ x.size }}|{{ x.a.first }}|{{ x.none }}|{{ y.a }}|{{ x }}|
{%- for image in x.images %}{{ image.a }}{{ image['a'] }}{{ image.a.last }}{{ forloop.index }},
{{ forloop.last }}{{ forloop.no }}
{{ image[0] }}{{ image[name] }}{{ image.a | upcase }}{% endfor %}"""


@given(x=st.one_of(VALUES, st.fixed_dictionaries({"a": VALUES, "images": st.lists(VALUES)})))
def test_values_are_written_as_liquid_writes_them(x: Any) -> None:
    plain, general = Environment(autoescape=True), Environment(autoescape=True)
    plain.add_tag(PlainOutput)
    results = []
    for environment in (plain, general):
        try:
            results.append(environment.from_string(TEMPLATE).render(x=x, name="a"))
        except Exception as error:
            results.append(f"{type(error).__name__}: {error}")
    assert results[0] == results[1]


@pytest.mark.parametrize("value", ['"><script>', "{{ x }}", "&amp;", "é"])
def test_a_value_is_escaped(value: str) -> None:
    environment = Environment(autoescape=True)
    environment.add_tag(PlainOutput)
    html = environment.from_string("{{ x.a }}").render(x={"a": value})
    assert html == str(Markup.escape(value))
