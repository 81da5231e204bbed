"""Plain outputs: as Liquid writes them, whatever the value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid import Environment
from markupsafe import Markup

from tessera.tiling.page.plain_output import PLAIN_TAGS

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.text().map(Markup)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
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
IMAGES = st.fixed_dictionaries({}, optional={"a": SCALARS, "b": st.one_of(SCALARS, VALUES)})
PARTS = (
    "é<b>", " ", "{{ i.a }}", "{{ i.b }}", "{{ i.size }}", "{{ i.a.b }}", "{{ i[name] }}",
    "{{ forloop.index }}", "{{ forloop.last }}", "{{ forloop.no }}", "{{ x.images }}", "{{ j.a }}",
    "{{ i.a | upcase }}", "{{ i.b | default: 'none' | append: i.a }}", "{{ i.first | size }}",
    "{{ i }}", "{% assign i = x %}", "{% assign j = i %}", "{% break %}", "{% increment a %}",
)  # fmt: skip
CONDITIONS = (
    "i.a", "i.b", "i.first", "forloop.first", "forloop.index > 1", "i.a == 'x' or i.b", "i.a.b",
)  # fmt: skip
BODIES = st.recursive(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map("".join),
        st.tuples(st.sampled_from(CONDITIONS), inner).map(
            lambda part: f"{{% if {part[0]} %}}{part[1]}{{% endif %}}"
        ),
        st.tuples(st.sampled_from(CONDITIONS), inner, inner).map(
            lambda part: f"{{% if {part[0]} %}}{part[1]}{{% else %}}{part[2]}{{% endif %}}"
        ),
        inner.map(lambda body: f"{{% for i in i.b %}}{body}{{% endfor %}}"),
    ),
    max_leaves=4,
)
"""What a page of somebody's own may do in its loop: plain parts, and such as are not."""


def written(template: str, *, plain: bool, **values: Any) -> str:
    """What an environment with or without the plain tags writes, or how it fails."""
    environment = Environment(autoescape=True)
    for tag in PLAIN_TAGS if plain else ():
        environment.add_tag(tag)
    try:
        return environment.from_string(template).render(**values)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def in_a_loop(body: str) -> str:
    """A template with this in a loop, and what the loop left behind after it."""
    return f"{{% for i in x.images %}}{body}{{% endfor %}}{{{{ j.a }}}}{{{{ i.a }}}}"


KINDS: tuple[Any, ...] = (
    None,
    False,
    True,
    0,
    1,
    0.5,
    "",
    "a<b",
    Markup("a<b"),
    [],
    ["x"],
    {},
    {"b": 1},
    {"size": 7},
)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_written_as_liquid_writes_it_for_each_kind_of_value(part: str) -> None:
    images = [{"a": kind, "b": other} for kind in KINDS for other in ("", "b")]
    x = {"images": [*images, {}, None, 3, "text"]}
    for body in (part, *(f"{{% if {condition} %}}{part}{{% endif %}}" for condition in CONDITIONS)):
        results = [written(in_a_loop(body), plain=plain, x=x, name="a") for plain in (True, False)]
        assert results[0] == results[1], body


@given(body=BODIES, images=st.lists(st.one_of(VALUES, IMAGES), max_size=3))
def test_a_loop_is_written_as_liquid_writes_it_whatever_is_in_it(body: str, images: Any) -> None:
    x = {"images": images, "a": "outer"}
    results = [written(in_a_loop(body), plain=plain, x=x, name="a") for plain in (True, False)]
    assert results[0] == results[1]


@given(x=st.one_of(VALUES, st.fixed_dictionaries({"a": VALUES, "images": st.lists(VALUES)})))
def test_values_are_written_as_liquid_writes_them(x: Any) -> None:
    assert written(TEMPLATE, plain=True, x=x, name="a") == written(
        TEMPLATE, plain=False, x=x, name="a"
    )


@pytest.mark.parametrize("value", ['"><script>', "{{ x }}", "&amp;", "é"])
def test_a_value_is_escaped(value: str) -> None:
    html = written("{{ x.a }}{% for y in x.b %}{{ y.a }}{% endfor %}", plain=True,
                   x={"a": value, "b": [{"a": value}]})  # fmt: skip
    assert html == 2 * str(Markup.escape(value))
